// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_PLUGINS_H_
#define VCD_CORE_CNI_CNI_PLUGINS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/cni/cni_json.h"
#include "core/os/cancellation.h"

namespace vcd {

// What a plugin is asked to do.
struct CniCall {
  std::string command;  // `ADD`, `CHECK` or `DEL`.
  std::string container_id;
  std::string netns_path;  // May be empty for DEL.
  std::string interface_name;
  std::string args;  // CNI_ARGS.
};

// The plugins of the host, called by their own protocol: the environment says what to do, standard input has the
// network, standard output the answer. Thread-safe; calls block.
class CniPlugins {
 public:
  // Looked through in order; `timeout` is for one call.
  CniPlugins(std::vector<std::string> directories, absl::Duration timeout)
      : directories_(std::move(directories)), timeout_(timeout) {}

  // Path of a plugin's program. kInvalidArgument for what is no plain name, kFailedPrecondition (NETWORK), with the
  // package that has it, when there is none.
  absl::StatusOr<std::string> Find(const std::string& type) const;

  // Calls a plugin and returns what it printed. Its error, its death and more than kMaxCniBytes of output are errors
  // with the reason NETWORK; kDeadlineExceeded when it did not end in time: all its processes are killed.
  absl::StatusOr<std::string> Call(const std::string& type, const CniCall& call, const CniJson& configuration,
                                   const CallContext& context) const;

 private:
  const std::vector<std::string> directories_;
  const absl::Duration timeout_;
};

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_PLUGINS_H_
