// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_tear_down.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/os/supervised_process.h"
#include "core/pod/clean_up.h"
#include "core/pod/container_attachments.h"
#include "core/pod/machine_start.h"
#include "core/pod/pod_hooks.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Which backend a pod has, or had: the one that is named, or all when the name is not known here, as in a configuration
// that cannot be read. What takes things down may then be asked of each.
template <typename T>
std::vector<T*> Candidates(const std::map<std::string, std::unique_ptr<T>>& backends, const std::string& name) {
  const auto named = backends.find(name);
  if (named != backends.end()) return {named->second.get()};
  std::vector<T*> all;
  for (const auto& [known, backend] : backends) all.push_back(backend.get());
  return all;
}

// Ends a process that a record names, whoever made it.
absl::Status EndRecorded(const PodEnvironment& environment, const state::v1::ProcessIdentity& recorded) {
  if (recorded.pid() <= 0) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<SupervisedProcess>> process =
      SupervisedProcess::Adopt(environment.io, {recorded.pid(), recorded.start_time_ticks(), recorded.boot_id()});
  if (absl::IsNotFound(process.status())) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(process.status());
  return (*process)->Terminate(absl::Seconds(5));
}

// Ends what no handle tells of: a machine that a crashed daemon had just started, one whose record was damaged, and one
// of a hypervisor that this daemon does not have.
absl::Status ReapMachine(const Pod& pod, const PodEnvironment& environment) {
  absl::Status status;
  for (Hypervisor* hypervisor : Candidates(environment.backends.hypervisors, pod.config()->hypervisor())) {
    status.Update(ReapRunDirs(pod, *hypervisor));
  }
  if (environment.backends.hypervisors.count(pod.config()->hypervisor()) != 0) return status;
  const state::v1::VirtualMachine machine = pod.record().vm();
  status.Update(EndRecorded(environment, machine.process()));
  for (const state::v1::SharedDirectory& directory : machine.shared_directories()) {
    status.Update(EndRecorded(environment, directory.process()));
  }
  return status;
}

// Of a pod that nobody told to stop, while the hooks of its end run: it does not run any more. On disk it does, so that
// the next daemon finds out for itself what became of it.
void ShowStopping(Pod& pod, const std::string& reason) {
  const v1::PodState state = pod.state();
  if (state != v1::POD_STATE_READY && state != v1::POD_STATE_RUNNING && state != v1::POD_STATE_PAUSED) return;
  pod.ChangeUnwritten([&reason](state::v1::PodRecord& record) {
    record.set_state(v1::POD_STATE_STOPPING);
    record.set_reason(reason);
  });
}

// Asks what runs in the guest to end.
void EndContainers(Pod& pod, const TearDownOptions& options) {
  std::vector<std::string> running;
  const state::v1::PodRecord record = pod.record();
  for (const state::v1::ContainerRecord& container : record.containers()) {
    // Paused ones have been resumed for this.
    if (container.state() == v1::CONTAINER_STATE_RUNNING || container.state() == v1::CONTAINER_STATE_PAUSED) {
      running.push_back(container.id());
    }
  }
  LogFailure(
      pod, "end the containers",
      EndProcesses(pod, running, options.grace, {absl::Now() + options.grace + absl::Seconds(15), options.hurry}));
  pod.AwaitLogsPatiently("", {absl::InfiniteFuture(), options.hurry});
}

// Ends guest and machine, and lets go of what only a machine that runs needs.
absl::Status EndMachine(Pod& pod, const PodEnvironment& environment, const TearDownOptions& options,
                        Released* released) {
  const int32_t vm_pid = pod.record().vm().process().pid();
  // From here on the end of the machine is our doing.
  std::unique_ptr<VirtualMachine> machine = pod.TakeMachine();
  std::unique_ptr<GuestSession> session = pod.guest().Exchange(nullptr);
  if (session != nullptr && options.orderly) {
    LogFailure(pod, "shut the guest down", session->Shutdown({absl::Now() + absl::Seconds(5), options.hurry}));
  }
  session.reset();
  pod.RecordExits();
  absl::Status ended;
  if (machine != nullptr) {
    ended = machine->Stop(options.orderly ? StopMode::kOrderly : StopMode::kForce,
                          {absl::Now() + absl::Seconds(30), options.hurry});
    released->given_back.push_back(vm_pid > 0 ? absl::StrCat("VM (pid ", vm_pid, ")") : "VM");
  }
  machine.reset();
  if (ended.ok()) ended = ReapMachine(pod, environment);
  LogFailure(pod, "end the VM", ended);
  // A machine that may still run writes to its disks.
  if (ended.ok()) {
    pod.ReleaseDisks();
    RemoveWarmDirectory(pod);
  }
  return ended;
}

void GiveNetworkBack(Pod& pod, const PodEnvironment& environment, const TearDownOptions& options, Released* released) {
  const std::string network = absl::StrCat("network ", pod.config()->network());
  // Cut short, it is tried again by the operation that is in a hurry.
  const absl::Status detached =
      DetachNetwork(pod, environment.backends, {absl::Now() + absl::Seconds(30), options.hurry});
  LogFailure(pod, "take the network down", detached);
  if (detached.ok()) {
    environment.ports.Release(pod.id());
    released->given_back.push_back(network);
  } else {
    released->kept.push_back(absl::StrCat(network, ": ", detached.message()));
  }
}

// Of a container whose machine has ended.
void SetEnd(state::v1::ContainerRecord& container, const TearDownOptions& options) {
  ForgetAttachments(container);
  container.set_guest_pid(0);
  if (container.state() == v1::CONTAINER_STATE_STOPPED) return;
  const bool ran = container.state() == v1::CONTAINER_STATE_RUNNING ||
                   container.state() == v1::CONTAINER_STATE_PAUSED || container.state() == v1::CONTAINER_STATE_STOPPING;
  container.set_state(v1::CONTAINER_STATE_STOPPED);
  if (ran && options.end.ok()) *container.mutable_exit_status() = *options.end;
  if (ran && !options.end.ok()) container.set_reason(std::string(options.end.status().message()));
  // One that was only being made anew ended when it last did.
  if (ran || !container.has_finished_at()) StampNow(container.mutable_finished_at());
}

// State and reason of a pod that was taken down, with what it still holds.
void SetEnd(state::v1::PodRecord& record, const TearDownOptions& options, const absl::Status& ended) {
  record.set_state(ended.ok() ? options.state : v1::POD_STATE_FAILED);
  std::string reason = ended.ok() ? options.reason : absl::StrCat("the VM could not be ended: ", ended.message());
  if (!record.kept().empty()) {
    // One that was to disappear must not look like one that may be started.
    if (IsAppearingOrGoing(record)) record.set_state(v1::POD_STATE_FAILED);
    absl::StrAppend(
        &reason, reason.empty() ? "" : "; ",
        "not given back, and tried again by the next stop or deletion: ", absl::StrJoin(record.kept(), "; "));
  }
  record.set_reason(reason);
}

}  // namespace

absl::Status DetachNetwork(const Pod& pod, const Backends& backends, const CallContext& context) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const NetworkPod network_pod = pod.AsNetworkPod(*config);
  absl::Status status;
  for (Network* network : Candidates(backends.networks, config->network())) {
    status.Update(network->Detach(network_pod, context));
  }
  // A name that is not known tells of a network that none of these is.
  if (!config->network().empty() && backends.networks.count(config->network()) == 0) {
    status.Update(
        absl::FailedPreconditionError("this vcd does not have it; run one that does, and delete the pod there"));
  }
  return status;
}

absl::StatusOr<Released> TearDown(Pod& pod, const PodEnvironment& environment, const TearDownOptions& options) {
  Released released;
  if (options.orderly && pod.session() != nullptr) EndContainers(pod, options);
  const absl::Status ended = EndMachine(pod, environment, options, &released);
  GiveNetworkBack(pod, environment, options, &released);
  const Poststop due = PoststopDue(pod.record());
  if (!due.empty()) ShowStopping(pod, options.reason);
  // A machine that may still run is no end.
  const bool poststop_done = ended.ok() && RunPoststop(pod, due, options.hooks);

  const auto note = [&](state::v1::PodRecord& record) {
    for (state::v1::ContainerRecord& container : *record.mutable_containers()) SetEnd(container, options);
    if (ended.ok()) {
      record.clear_vm();
      record.clear_vm_start();
      record.clear_vm_start_reason();
      record.clear_template_key();
      record.clear_warm_machine();
    }
    if (poststop_done) ForgetPoststop(record);
    record.clear_volumes();
    record.clear_network();
    *record.mutable_kept() = {released.kept.begin(), released.kept.end()};
    SetEnd(record, options, ended);
    if (!IsAppearingOrGoing(record)) SetDone(record, ended.ok() ? options.request : state::v1::Request());
    StampNow(record.mutable_finished_at());
  };
  absl::Status written;
  if (IsAppearingOrGoing(pod.record())) {
    // Its record goes next. Until then the intent in it says all: what a crash leaves of the pod is removed.
    pod.ChangeUnwritten(note);
  } else {
    written = pod.Change(note, /*fact=*/true);
  }
  // Last, so that whoever waited and then looks finds the pod as it is now.
  pod.FinishProcesses(options.end);
  if (!ended.ok()) return WithMetadata(Annotate(ended, "end the VM"), "pod_id", pod.id());
  VCD_RETURN_IF_ERROR(written);
  return released;
}

}  // namespace vcd
