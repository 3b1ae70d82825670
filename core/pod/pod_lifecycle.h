// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_LIFECYCLE_H_
#define VCD_CORE_POD_POD_LIFECYCLE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "core/checkpoint/checkpoint.h"
#include "core/pod/boot_gate.h"
#include "core/pod/operation_clock.h"
#include "core/pod/pod.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/undo_stack.h"

namespace vcd {

// The steps that take a pod up, and have its guest stand still and go on. The caller holds the pod's lock exclusively;
// all of them block. What they do to the host can be found again by the pod's run directory, so that recovery may undo
// it after a crash at any point.

// A pod's way up, in two parts: what may take as long as hooks like to, and what needs a place among those that boot.
// When a part fails, and when this goes before Boot has succeeded, all of it is undone and the record is as before.
// Poststop hooks are left: those that are due on record, of what had begun, are for the caller. `clock` is told the
// phases. What it is made of outlives it.
class BringUp {
 public:
  BringUp(Pod& pod, const PodEnvironment& environment, OperationClock& clock)
      : pod_(pod), environment_(environment), clock_(clock) {}
  ~BringUp() { Undo(); }
  BringUp(const BringUp&) = delete;
  BringUp& operator=(const BringUp&) = delete;

  // The namespace of the network, and the hooks that come before the machine.
  absl::Status Open(const CallContext& context);

  // Network, machine, guest and every container of the configuration, held. On success the record is written, with the
  // machine in it, pod and containers `ready`, the clock's timeline, and what `finish` does to it. `place` is given
  // back as soon as the guest answers. With a checkpoint the machine goes on from there, and pod and containers are as
  // they were in it.
  absl::Status Boot(std::unique_ptr<BootGate::Place> place, const std::function<void(state::v1::PodRecord&)>& finish,
                    const CallContext& context, const Checkpoint* checkpoint = nullptr);

 private:
  absl::Status OpenSteps(const CallContext& context);
  // Takes the place away once it is to be given back.
  absl::Status BootSteps(std::unique_ptr<BootGate::Place>& place,
                         const std::function<void(state::v1::PodRecord&)>& finish, const CallContext& context,
                         const Checkpoint* checkpoint);
  void Undo();

  Pod& pod_;
  const PodEnvironment& environment_;
  OperationClock& clock_;
  Poststop begun_;
  UndoStack undo_;
};

// Speaks to the guest of a machine that was adopted, or stood still for a checkpoint: processes that it has are known
// again, exits of meanwhile arrive as events; connections to ports whose callers are gone are ended. A container that
// runs there although the record has it as held becomes `running`; one that the record has and the guest does not
// becomes `failed`; what the guest has of one that the record calls stopped is removed: its start was interrupted.
absl::Status ReconnectGuest(Pod& pod, const CallContext& context);

// Lets the held containers run; the pod becomes `running`, and the request done; then poststart hooks run. After a boot
// of the same operation the record's timeline gets longer by this. A `fact` (Pod::Change) is none the less so for not
// being written.
absl::Status ReleaseContainers(Pod& pod, const state::v1::Request& request, const CallContext& context,
                               OperationClock& clock, bool fact = false);

// Lets the machine go on, and speaks to the guest if nobody does yet, as after a restart of the daemon. The record is
// as before.
absl::Status WakeGuest(Pod& pod, const CallContext& context);

// Stops the machine of a pod that is `paused` on record once more; nothing is under way then, and the request, if it
// has an id, done. Should the machine run on, the pod becomes `running`, as that is what it does; not so when the
// context was cancelled: whoever did that, or the next daemon, goes on from the intent.
absl::Status PauseAgain(Pod& pod, const state::v1::Request& request, const CallContext& context);

// WakeGuest; the pod becomes `running`, its paused containers too, and the request done, written as Pod::Change does.
absl::Status ResumeGuest(Pod& pod, const state::v1::Request& request, const CallContext& context, bool fact = false);

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_LIFECYCLE_H_
