// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HOOK_PROCESS_HOOK_RUNNER_H_
#define VCD_CORE_HOOK_PROCESS_HOOK_RUNNER_H_

#include <memory>
#include <string>

#include "core/hook/hook_runner.h"

namespace vcd {

// Hooks as child processes of the daemon, with its rights. What they print goes to the daemon's log, the end of it
// where it is much.
class ProcessHookRunner : public HookRunner {
 public:
  absl::Status Run(const HookCall& call, const CallContext& context) override;
  absl::StatusOr<std::unique_ptr<HeldProcess>> Hold(const std::string& pod_id, const std::string& netns_path) override;
};

}  // namespace vcd

#endif  // VCD_CORE_HOOK_PROCESS_HOOK_RUNNER_H_
