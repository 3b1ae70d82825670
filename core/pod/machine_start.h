// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_MACHINE_START_H_
#define VCD_CORE_POD_MACHINE_START_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/checkpoint/checkpoint.h"
#include "core/pod/operation_clock.h"
#include "core/pod/pod.h"
#include "core/template/templates.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// How a pod's machine and guest come to be, and go when nobody asks them to. The caller holds the pod's lock
// exclusively; all of it blocks.

// How a machine was started.
struct MachineStart {
  v1::VmStart how = v1::VM_START_COLD;
  std::string reason;        // Why not from a template.
  std::string template_key;  // Of the one that it is from.
};

// Whether memory of the pod's guest is shared with other processes: a clone has a copy of all of it then.
bool NeedsSharedMemory(const v1::PodConfig& config);

// What tells which template a pod of that configuration may go on from.
TemplateSubject SubjectOf(Hypervisor& hypervisor, Agent& agent, const v1::PodConfig& config,
                          const TemplateOptions& options);

// Starts a machine and waits until its guest answers: from a template where there is one, and by a boot where there is
// none or that fails. After an error the caller undoes with StopMachine.
absl::StatusOr<MachineStart> StartMachine(Pod& pod, const PodEnvironment& environment, const std::string& netns_path,
                                          const CallContext& context, OperationClock& clock);

// Claims the disks of a checkpoint, starts a machine that goes on from it, and speaks to its guest: the containers of
// the record are those that it has. After an error the caller undoes with StopMachine.
absl::StatusOr<MachineStart> RestoreMachine(Pod& pod, const Checkpoint& checkpoint, const PodEnvironment& environment,
                                            const std::string& netns_path, const CallContext& context,
                                            OperationClock& clock);

// Has the templates know what a clone takes of the host's memory once its containers are there. Blocks for some
// milliseconds when that is not known yet.
void MeasureClone(const Pod& pod, const MachineStart& start, Templates& templates);

// Ends what there is of both by force. Errors are logged.
void StopMachine(Pod& pod);

// Ends what no handle tells of, in the pod's run directory and in that of a machine that had waited for it.
absl::Status ReapRunDirs(const Pod& pod, Hypervisor& hypervisor);

// Removes the directory of a machine that had waited for the pod, and has ended, and keeps its console; the caller
// takes its name out of the record. Errors are logged: a later daemon removes what is left.
void RemoveWarmDirectory(const Pod& pod);

}  // namespace vcd

#endif  // VCD_CORE_POD_MACHINE_START_H_
