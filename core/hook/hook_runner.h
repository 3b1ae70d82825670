// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HOOK_HOOK_RUNNER_H_
#define VCD_CORE_HOOK_HOOK_RUNNER_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/hook/hook_kind.h"
#include "core/os/cancellation.h"
#include "proto/vcd/v1/hook.pb.h"

namespace vcd {

// One run of a hook on the host.
struct HookCall {
  std::string pod_id;
  std::string container_id;  // Empty when it runs for the pod.
  HookKind kind = HookKind::kPrestart;
  int index = 0;  // Among those of its kind, in the configuration that names it.
  // Its `timeout_seconds` is not 0.
  v1::Hook hook;
  std::string netns_path;  // The network namespace to run in; empty is the daemon's own.
  std::string state;       // For its standard input.
};

// "container main: hook create_runtime[0] (/usr/bin/probe)", without the container for one of the pod.
std::string HookName(const HookCall& call);

// kFailedPrecondition (HOOK_FAILED) naming the hook: "<name>: <problem>".
absl::Status HookFailure(const HookCall& call, absl::string_view problem);

// A process that is there as long as this object, and no longer than the daemon.
class HeldProcess {
 public:
  virtual ~HeldProcess() = default;
  virtual pid_t pid() const = 0;
};

// Runs hooks on the host. Thread-safe; calls block.
class HookRunner {
 public:
  virtual ~HookRunner() = default;

  // Runs the program to its end, and no longer than its `timeout_seconds`. kFailedPrecondition (HOOK_FAILED) with the
  // last that it said when it cannot be started, does not end with status 0, or does not end in time: its whole process
  // group is killed then. kDeadlineExceeded, or the cancellation's status, when `context` ends first, which kills it
  // too.
  virtual absl::Status Run(const HookCall& call, const CallContext& context) = 0;

  // A process in that network namespace, or in the daemon's own when `netns_path` is empty, for hooks to be told of
  // while the pod has none.
  virtual absl::StatusOr<std::unique_ptr<HeldProcess>> Hold(const std::string& pod_id,
                                                            const std::string& netns_path) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_HOOK_HOOK_RUNNER_H_
