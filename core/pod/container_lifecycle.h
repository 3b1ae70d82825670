// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONTAINER_LIFECYCLE_H_
#define VCD_CORE_POD_CONTAINER_LIFECYCLE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/pod/operation_clock.h"
#include "core/pod/pod.h"

namespace vcd {

// The steps that make, start, stop and remove one container in the guest of a pod whose lock the caller holds
// exclusively, and which has a session. They change the pod's record in memory terms given to them and block.

// Brings what it needs of the host to the machine and makes the container, held, with the hooks before and after; fills
// `container` in as `ready`. Undoes itself on failure, but for poststop hooks.
absl::Status CreateInGuest(Pod& pod, const v1::ContainerConfig& config, state::v1::PodRecord& record,
                           state::v1::ContainerRecord& container, const CallContext& context, OperationClock& clock);

// Lets it run; `container` becomes `running`.
absl::Status StartInGuest(Pod& pod, state::v1::ContainerRecord& container, const CallContext& context);

// Notes that it did not start, and why if its hooks did not let it: nothing is under way any more. It is as the guest
// has it.
void NoteFailedStart(Pod& pod, const std::string& container_id, const absl::Status& why);

// Removes it from guest and machine, killing what is left of it. Goes on after a failed step and returns the first
// error.
absl::Status RemoveFromGuest(Pod& pod, const state::v1::ContainerRecord& container, const CallContext& context);

// SIGTERM to the first processes of the containers named, SIGKILL to those that are left after `grace`, at once when
// that is zero; returns when all have ended, or the context has. A guest that does not answer is an error.
absl::Status EndProcesses(Pod& pod, const std::vector<std::string>& container_ids, absl::Duration grace,
                          const CallContext& context);

// Ends a container, as EndProcesses, takes it and what it had of the host out of guest and machine, and records it as
// `stopped`; `request`, if it has an id, is done with that. Also for one that ended by itself and still holds them.
absl::Status EndContainer(Pod& pod, const std::string& container_id, absl::Duration grace,
                          const state::v1::Request& request, const CallContext& context);

// Takes it out of the pod's configuration and record; `request`, if it has an id, is done with that.
absl::Status ForgetContainer(Pod& pod, const std::string& container_id, const state::v1::Request& request);

// The exit status of a process that was killed together with its container or machine.
v1::ExitStatus KilledStatus();

}  // namespace vcd

#endif  // VCD_CORE_POD_CONTAINER_LIFECYCLE_H_
