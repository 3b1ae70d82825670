// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_HOOKS_H_
#define VCD_CORE_POD_POD_HOOKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/pod/operation_clock.h"
#include "core/pod/pod.h"

namespace vcd {

// Which hooks of a pod and its containers run when, and what they are told. Whoever runs some holds the pod's lock
// exclusively, and is blocked by them; `clock` is told the time.
//
// That poststop hooks are due is on record before the first hook of a life runs, and until they have run: so they run
// at least once, whatever becomes of the daemon.

// kInvalidArgument (INVALID_FIELD) or kUnimplemented (NOT_IMPLEMENTED) for hooks that a pod with this agent cannot
// have.
absl::Status CheckHooksRun(const v1::Hooks& hooks, const PodRuntimeOptions& options, const AgentCapabilities& agent,
                           const std::string& field);

// What the hooks of a pod may take together until it runs, and those of a container of it.
absl::Duration HookTime(const v1::PodConfig& config, const PodRuntimeOptions& options);
absl::Duration HookTime(const v1::PodConfig& config, const v1::ContainerConfig& container,
                        const PodRuntimeOptions& options);

// Whether the pod has any that RunHooksBeforeBoot runs.
bool HasHooksBeforeBoot(const v1::PodConfig& config);

// Those of the pod that come before its interfaces are looked for. `netns_path` is that of its network namespace, here
// and below; empty when it has none.
absl::Status RunHooksBeforeBoot(Pod& pod, const std::string& netns_path, const CallContext& context,
                                OperationClock& clock);

// Those of a container that come before it is made in the guest, and once it is held there.
absl::Status RunHooksBeforeContainer(Pod& pod, const v1::ContainerConfig& container, const std::string& netns_path,
                                     const CallContext& context, OperationClock& clock);
absl::Status RunHooksOfHeldContainer(Pod& pod, const v1::ContainerConfig& container, const std::string& netns_path,
                                     const CallContext& context, OperationClock& clock);

// Gives the guest those that run in the container.
void AddStartHooks(const Pod& pod, GuestContainerSpec& spec);

// Failures are logged.
void RunPoststart(Pod& pod, const CallContext& context, OperationClock& clock);
void RunPoststart(Pod& pod, const v1::ContainerConfig& container, const CallContext& context, OperationClock& clock);

// Notes that a life begins, of pod and containers or of one container: its poststop hooks, if there are any, are due.
void MarkPoststopDue(const v1::PodConfig& config, state::v1::PodRecord& record);
void MarkPoststopDue(const v1::ContainerConfig& config, state::v1::ContainerRecord& record);

// Whose poststop hooks.
struct Poststop {
  bool pod = false;
  std::vector<std::string> container_ids;
  bool empty() const { return !pod && container_ids.empty(); }
};
Poststop PoststopDue(const state::v1::PodRecord& record);

// Notes, in memory, that none but these are due: a start that is being undone came no further.
void KeepPoststopDue(Pod& pod, const Poststop& begun);

// Runs them, the pod's last. Failures are logged. Each has its own limit. All of them end with the deadline of
// `limits`, and a second after its cancellation, but in no less than a second: false then, and some may not have run.
bool RunPoststop(Pod& pod, const Poststop& poststop, const CallContext& limits);

// Notes that none are due.
void ForgetPoststop(state::v1::PodRecord& record);

// Runs what is due of a pod without a machine, or of a container that has ended, and records it.
void FinishPoststop(Pod& pod, const CallContext& limits);
void RunContainerPoststop(Pod& pod, const std::string& container_id, const CallContext& limits);

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_HOOKS_H_
