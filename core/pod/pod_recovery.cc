// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/os/process.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kHostRebooted[] = "HOST_REBOOTED: the host was restarted; start the pod to boot it again";

// The record of a pod of which only the configuration survived.
state::v1::PodRecord RecordAfterReboot(const v1::PodConfig& config) {
  state::v1::PodRecord record;
  record.set_pod_id(config.id());
  record.set_state(v1::POD_STATE_STOPPED);
  record.set_reason(kHostRebooted);
  for (const v1::ContainerConfig& container : config.containers()) {
    state::v1::ContainerRecord& known = *record.add_containers();
    known.set_id(container.id());
    known.set_state(v1::CONTAINER_STATE_STOPPED);
    known.set_reason(kHostRebooted);
  }
  return record;
}

// A pod of which a record cannot be read: it can be looked at and deleted.
state::v1::PodRecord DamagedRecord(const std::string& pod_id, const absl::Status& why) {
  state::v1::PodRecord record;
  record.set_pod_id(pod_id);
  record.set_state(v1::POD_STATE_FAILED);
  record.set_reason(absl::StrCat("RECORD_DAMAGED: ", why.message(), "; delete the pod with force"));
  return record;
}

}  // namespace

absl::Status LivePodRuntime::Recover() {
  VCD_RETURN_IF_ERROR(store_.CreateRoots());
  absl::StatusOr<FileLock> lock =
      FileLock::Acquire(store_.layout().DaemonLockFile(), FileLockMode::kExclusive, /*nonblocking=*/true);
  if (!lock.ok()) {
    return Annotate(lock.status(), absl::StrCat("run directory ", options_.run_dir,
                                                ": another vcd may be serving it; stop that one or choose another"));
  }
  daemon_lock_ = *std::move(lock);
  VCD_ASSIGN_OR_RETURN(const StoredPods stored, store_.ListPodIds());
  for (const std::string& path : stored.foreign_paths) LogWarning("", absl::StrCat("not a pod's, left alone: ", path));
  for (const std::string& pod_id : stored.pod_ids) Load(pod_id);
  return absl::OkStatus();
}

void LivePodRuntime::Load(const std::string& pod_id) {
  absl::StatusOr<v1::PodConfig> config = store_.LoadConfig(pod_id);
  absl::StatusOr<state::v1::PodRecord> record = store_.LoadRecord(pod_id);
  const bool config_missing = absl::IsNotFound(config.status());
  const bool record_missing = absl::IsNotFound(record.status());
  if (config.ok() && record_missing) {
    record = RecordAfterReboot(*config);
  } else if (!record.ok() && !record_missing) {
    LogError(pod_id, std::string(record.status().message()));
    record = DamagedRecord(pod_id, record.status());
  } else if (!config.ok() && !config_missing) {
    LogError(pod_id, std::string(config.status().message()));
    record = DamagedRecord(pod_id, config.status());
  }
  if (!record.ok()) {
    // Directories without any record: a creation or a deletion got no further.
    record = state::v1::PodRecord();
    record->set_pod_id(pod_id);
    record->set_state(v1::POD_STATE_CREATING);
    record->set_intent(state::v1::INTENT_CREATE);
  } else if (config_missing && record->intent() == state::v1::INTENT_UNSPECIFIED) {
    record->set_intent(state::v1::INTENT_DELETE);
  }
  if (!config.ok()) {
    config = v1::PodConfig();
    config->set_id(pod_id);
  }
  // A backend may have gone from the catalogue; the default one can at least clean up.
  if (backends_.hypervisors.count(config->hypervisor()) == 0) config->set_hypervisor(backends_.default_hypervisor);
  if (backends_.agents.count(config->agent()) == 0) config->set_agent(backends_.default_agent);
  if (backends_.networks.count(config->network()) == 0) config->set_network(backends_.default_network);

  std::shared_ptr<Pod> pod = MakePod(*std::move(config), *std::move(record));
  if (!registry_.Add(pod, std::make_shared<const v1::Pod>(pod->View())).ok()) return;
  {
    MutexLock lock(&mu_);
    ++reconciling_;
  }
  // The lock is asked for before anybody is served, so whatever comes for this pod waits behind.
  Request request;
  request.operation = "reconciliation after a restart";
  request.deadline = absl::InfiniteFuture();
  request.ceiling = options_.boot_timeout;
  Submit(
      pod_id, request,
      [this](Pod& pod, Grant& grant) {
        Reconcile(pod, grant.context);
        return absl::OkStatus();
      },
      [this](const absl::Status&) {
        MutexLock lock(&mu_);
        if (--reconciling_ == 0) reconciled_.NotifyAll();
      });
}

void LivePodRuntime::Vanish(Pod& pod) {
  TearDownOptions options;
  options.orderly = false;
  options.end = KilledStatus();
  absl::Status status = TearDown(pod, options);
  if (status.ok()) status = store_.RemovePod(pod.id());
  if (!status.ok()) {
    LogError(pod.id(), absl::StrCat("clean up: ", status.message()));
    return;
  }
  registry_.Remove(pod.id());
}

void LivePodRuntime::DropUnfinishedContainer(Pod& pod, const state::v1::ContainerRecord& container) {
  const absl::Status removed = RemoveFromGuest(pod, container, {absl::Now() + absl::Seconds(10), nullptr});
  if (!removed.ok()) LogError(pod.id(), absl::StrCat("undo container ", container.id(), ": ", removed.message()));
  pod.RemoveProcesses(container.id(), KilledStatus());
  (void)ForgetContainer(pod, container.id());
  LogInfo(pod.id(), absl::StrCat("container ", container.id(), ": its creation was interrupted: undone"));
}

void LivePodRuntime::Reconcile(Pod& pod, const CallContext& context) {
  const state::v1::PodRecord record = pod.record();
  TearDownOptions tear_down;
  tear_down.orderly = false;
  tear_down.end = KilledStatus();
  switch (record.intent()) {
    case state::v1::INTENT_CREATE:
      LogInfo(pod.id(), "its creation was interrupted: undone");
      return Vanish(pod);
    case state::v1::INTENT_DELETE:
      LogInfo(pod.id(), "its deletion was interrupted: finished");
      return Vanish(pod);
    case state::v1::INTENT_START:
      LogInfo(pod.id(), "its start was interrupted: undone");
      tear_down.reason = "its start was interrupted";
      (void)TearDown(pod, tear_down);
      return;
    case state::v1::INTENT_STOP:
      LogInfo(pod.id(), "its stop was interrupted: finished");
      (void)TearDown(pod, tear_down);
      return;
    default:
      break;
  }
  const bool has_vm = record.state() == v1::POD_STATE_READY || record.state() == v1::POD_STATE_RUNNING ||
                      record.state() == v1::POD_STATE_PAUSED;
  if (!has_vm) {
    // What was stopped because the host restarted is recorded as such from now on.
    if (record.reason() == kHostRebooted) {
      (void)store_.CreatePodDirectories(pod.id());
      (void)pod.Change([](state::v1::PodRecord&) {}, /*fact=*/true);
    }
    return;
  }

  VmSpec spec;
  spec.pod_id = pod.id();
  spec.run_dir = pod.run_dir();
  const v1::PodConfig config = pod.config();
  spec.config = config.hypervisor_config();
  spec.annotations = {config.annotations().begin(), config.annotations().end()};
  absl::StatusOr<std::unique_ptr<VirtualMachine>> machine = pod.hypervisor().Adopt(spec, record.vm(), context);
  absl::Status status = machine.status();
  if (machine.ok()) {
    pod.SetMachine(*std::move(machine));
    // A paused guest cannot answer: it is spoken to when it is resumed.
    if (record.state() != v1::POD_STATE_PAUSED) status = ReconnectGuest(pod, context);
  }
  if (!status.ok()) {
    {
      // The next daemon will try again.
      MutexLock lock(&mu_);
      if (shutting_down_) return;
    }
    const std::string boot_id = ReadBootId().value_or("");
    const bool rebooted = absl::IsNotFound(status) && record.vm().process().boot_id() != boot_id &&
                          !record.vm().process().boot_id().empty();
    tear_down.state = rebooted ? v1::POD_STATE_STOPPED : v1::POD_STATE_FAILED;
    tear_down.reason = rebooted ? kHostRebooted : absl::StrCat("VM_EXITED: while vcd was away: ", status.message());
    LogError(pod.id(), tear_down.reason);
    (void)TearDown(pod, tear_down);
    pod.Tell(rebooted ? v1::EVENT_TYPE_POD_STOPPED : v1::EVENT_TYPE_POD_FAILED, "", "", std::nullopt, tear_down.reason);
    return;
  }
  // Containers whose creation was interrupted were not promised to anybody.
  for (const state::v1::ContainerRecord& container : record.containers()) {
    if (container.state() == v1::CONTAINER_STATE_CREATING) DropUnfinishedContainer(pod, container);
  }
  LogInfo(pod.id(), absl::StrCat("adopted, ", StateWord(record.state()), ", VM pid ", record.vm().process().pid()));
  pod.Tell(v1::EVENT_TYPE_POD_ADOPTED);
}

}  // namespace vcd
