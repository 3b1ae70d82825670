// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_TEAR_DOWN_H_
#define VCD_CORE_POD_POD_TEAR_DOWN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/os/cancellation.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/pod.h"
#include "core/pod/pod_environment.h"
#include "core/pod/pod_runtime.h"

namespace vcd {

// The way of a pod down, from wherever it is. The caller holds the pod's lock exclusively; both block.

struct TearDownOptions {
  bool orderly = false;                      // Ask containers and guest first.
  absl::Duration grace = absl::Seconds(10);  // For containers, when orderly.
  // What processes that have not ended are said to have ended with.
  absl::StatusOr<v1::ExitStatus> end = KilledStatus();
  // State and reason of the pod afterwards.
  v1::PodState state = v1::POD_STATE_STOPPED;
  std::string reason;
  // Done with it; empty when it only undoes one.
  state::v1::Request request;
  // Of the lock, for an orderly one: once it is cancelled, what is left is taken down by force, without asking anybody.
  // May be null.
  Cancellation* hurry = nullptr;
  // For poststop hooks (RunPoststop).
  CallContext hooks;
};

// Takes down whatever there is: containers, guest, machine, network, and runs the poststop hooks that are due; goes on
// after a step that fails. The record is written as `stopped` (or as the options say) when the machine has ended. An
// error means that it could not be ended, and the pod is `failed`. What else could not be given back is in the record
// and its reason, and in what this returns.
absl::StatusOr<Released> TearDown(Pod& pod, const PodEnvironment& environment, const TearDownOptions& options);

// Takes the pod's network down, which may be that of an earlier life. Of one that this daemon does not have every
// network is asked, and kFailedPrecondition returned.
absl::Status DetachNetwork(const Pod& pod, const Backends& backends, const CallContext& context);

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_TEAR_DOWN_H_
