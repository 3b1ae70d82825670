// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_STATE_MACHINE_H_
#define VCD_CORE_POD_POD_STATE_MACHINE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// The one table of what may follow what (docs/reference/states.md). The seed's four words and its transitions stand in
// it unchanged; `creating`, `stopping` and `failed` are added.
bool CanMove(v1::PodState from, v1::PodState to);
// Containers may also go from `stopped` to `ready`.
bool CanMove(v1::ContainerState from, v1::ContainerState to);

// kInternal, naming the object and both states, when a record must not follow another. Containers may come and go.
absl::Status CheckMoves(const state::v1::PodRecord& from, const state::v1::PodRecord& to);

// What is asked of a pod or a container in it.
enum class PodOperation {
  kStart,
  kStop,
  kPause,
  kResume,
  kDelete,
  kAnnotate,
  kCreateContainer,
  kStartContainer,
  kStopContainer,
  kDeleteContainer,
  kForceStopContainer,
  kForceDeleteContainer,
  kUpdateContainer,
  kUpdate,
  kAttachInterface,
  kDetachInterface,
  kInspect,  // Look into the guest: figures, processes.
  kMeasure,  // Figures of the pod, which has a machine.
  kExec,
  kSignal,
  kPortForward,
  kCheckpoint,
};

// OK when a pod in that state takes the operation; otherwise kFailedPrecondition (WRONG_STATE) naming pod, state and
// what to do first.
absl::Status CheckOperation(PodOperation operation, absl::string_view pod_id, v1::PodState state);

// The same for a container.
absl::Status CheckOperation(PodOperation operation, absl::string_view pod_id, absl::string_view container_id,
                            v1::ContainerState state);

// "running" for POD_STATE_RUNNING.
std::string StateWord(v1::PodState state);
std::string StateWord(v1::ContainerState state);

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_STATE_MACHINE_H_
