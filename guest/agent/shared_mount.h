// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_SHARED_MOUNT_H_
#define VCD_GUEST_AGENT_SHARED_MOUNT_H_

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "guest/agent/mounts.h"

namespace vcd::guest {

// A file system mounted in the agent's own namespace, on a directory of its own or, with a parent, on one that the
// parent shows. The destructor unmounts it.
class SharedMount {
 public:
  explicit SharedMount(std::string path, std::shared_ptr<SharedMount> parent = nullptr)
      : path_(std::move(path)), parent_(std::move(parent)) {}
  ~SharedMount() {
    Unmount(path_);
    if (parent_ == nullptr) ::rmdir(path_.c_str());
  }
  SharedMount(const SharedMount&) = delete;
  SharedMount& operator=(const SharedMount&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  const std::shared_ptr<SharedMount> parent_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_SHARED_MOUNT_H_
