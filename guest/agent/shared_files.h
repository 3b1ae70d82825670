// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_SHARED_FILES_H_
#define VCD_GUEST_AGENT_SHARED_FILES_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "guest/agent/outcome.h"
#include "guest/agent/shared_mount.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// A directory or file of the host as the agent sees it: there as long as `mount` is held.
struct SharedFile {
  std::string path;
  std::shared_ptr<SharedMount> mount;
};

// What the host shares with this machine. Each virtiofs is mounted once, on first use, however many names below it are
// in use, and each directory below it is a mount of its own (the kernel makes it when the directory is entered, because
// the host announces it). Both are unmounted with their last user, and only then does the host's side let go of the
// files.
class SharedFiles {
 public:
  struct Options {
    std::string state_dir;  // Where to mount. Must exist.
    std::function<Outcome(const std::string& group)> load_modules;
  };
  explicit SharedFiles(Options options) : options_(std::move(options)) {}

  // Gives the files, or nothing while the device is not there yet: try again when devices have changed.
  OutcomeOr<std::optional<SharedFile>> Acquire(const ::vcd::agent::v1::RootfsSource::Virtiofs& source);

 private:
  // Null while the device is not there.
  OutcomeOr<std::shared_ptr<SharedMount>> MountTag(const std::string& tag);

  const Options options_;
  std::map<std::string, std::weak_ptr<SharedMount>> roots_;  // By tag.
  std::map<std::string, std::weak_ptr<SharedMount>> names_;  // By path.
  int last_mount_point_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_SHARED_FILES_H_
