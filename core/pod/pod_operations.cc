// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/ids.h"
#include "core/model/pod_validation.h"
#include "core/pod/container_config.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A name out of a map of backends, its default filled in; kInvalidArgument that lists the known ones.
template <typename T>
absl::Status ResolveBackend(absl::string_view field, const std::map<std::string, T>& known,
                            const std::string& default_name, std::string* name) {
  if (name->empty()) *name = default_name;
  if (known.count(*name) != 0) return absl::OkStatus();
  std::string names;
  for (const auto& [candidate, backend] : known) absl::StrAppend(&names, names.empty() ? "" : ", ", candidate);
  return WithDetail(
      absl::InvalidArgumentError(absl::StrCat("`", field, "`: \"", *name, "\" is unknown; known are ", names)),
      {v1::ERROR_REASON_UNKNOWN_BACKEND, {{"field", std::string(field)}, {"known", names}}});
}

absl::Status CheckBackendAnnotations(const Hypervisor& hypervisor,
                                     const google::protobuf::Map<std::string, std::string>& annotations) {
  return hypervisor.CheckAnnotations({annotations.begin(), annotations.end()});
}

}  // namespace

absl::StatusOr<v1::PodConfig> LivePodRuntime::Prepare(v1::PodConfig config) const {
  VCD_RETURN_IF_ERROR(ResolveBackend("config.hypervisor", backends_.hypervisors, backends_.default_hypervisor,
                                     config.mutable_hypervisor()));
  VCD_RETURN_IF_ERROR(
      ResolveBackend("config.agent", backends_.agents, backends_.default_agent, config.mutable_agent()));
  VCD_RETURN_IF_ERROR(
      ResolveBackend("config.network", backends_.networks, backends_.default_network, config.mutable_network()));
  const AgentCapabilities agent = backends_.agents.at(config.agent())->capabilities();
  VCD_RETURN_IF_ERROR(ValidatePodConfig(config, agent.runs_processes));
  if (config.id().empty()) config.set_id(GenerateId());
  for (int i = 0; i < config.containers_size(); ++i) {
    VCD_RETURN_IF_ERROR(CompleteContainerConfig(*config.mutable_containers(i), agent.ReadsRootfs(),
                                                absl::StrCat("config.containers[", i, "]")));
  }
  if (config.hostname().empty()) config.set_hostname(config.id());
  if (config.hostname().size() > 64) config.mutable_hostname()->resize(64);

  const Hypervisor& hypervisor = *backends_.hypervisors.at(config.hypervisor());
  const HypervisorCapabilities machines = hypervisor.capabilities();
  if (agent.simulates_guest && !machines.simulated_guest) {
    return InvalidField("config.agent",
                        absl::StrCat("agent ", config.agent(), " plays the guest of mock machines, and hypervisor ",
                                     config.hypervisor(), " has real ones; use agent native with it"));
  }
  if (agent.runs_processes && !agent.simulates_guest && !machines.agent_channel) {
    return InvalidField("config.agent", absl::StrCat("hypervisor ", config.hypervisor(), " has no channel to agent ",
                                                     config.agent(), "; use agent mock or noop with it"));
  }
  VCD_RETURN_IF_ERROR(CheckBackendAnnotations(hypervisor, config.annotations()));
  v1::HypervisorConfig& machine = *config.mutable_hypervisor_config();
  if (config.resources().memory_mib() != 0) machine.set_default_memory_mib(config.resources().memory_mib());
  if (config.resources().vcpus() != 0) machine.set_default_vcpus(config.resources().vcpus());
  VCD_ASSIGN_OR_RETURN(machine, hypervisor.Resolve(machine));
  VCD_RETURN_IF_ERROR(backends_.networks.at(config.network())->Check(config.network_config()));
  return config;
}

std::shared_ptr<Pod> LivePodRuntime::MakePod(v1::PodConfig config, state::v1::PodRecord record) {
  auto pod = std::make_shared<Pod>(environment_, std::move(config), std::move(record));
  const std::string id = pod->id();
  pod->OnLost([this, id](const absl::Status& why) { HandleLost(id, why); });
  return pod;
}

void LivePodRuntime::CreatePod(v1::PodConfig config, absl::Time deadline, PodCallback done) {
  Create(std::move(config), /*start=*/false, deadline, std::move(done));
}

void LivePodRuntime::RunPod(v1::PodConfig config, absl::Time deadline, PodCallback done) {
  Create(std::move(config), /*start=*/true, deadline, std::move(done));
}

void LivePodRuntime::Create(v1::PodConfig asked, bool start, absl::Time deadline, PodCallback done) {
  work_.Post([this, asked = std::move(asked), start, deadline, done = std::move(done)] {
    absl::StatusOr<v1::PodConfig> config = Prepare(asked);
    if (!config.ok()) {
      return done(WithMetadata(config.status(), "pod_id", asked.id()));
    }
    state::v1::PodRecord record;
    record.set_pod_id(config->id());
    record.set_state(v1::POD_STATE_CREATING);
    record.set_intent(state::v1::INTENT_CREATE);
    StampNow(record.mutable_created_at());
    const std::string id = config->id();
    std::shared_ptr<Pod> pod = MakePod(*std::move(config), std::move(record));
    const absl::Status added = registry_.Add(pod, std::make_shared<const v1::Pod>(pod->View()));
    if (!added.ok()) {
      return done(added);
    }
    Request request;
    request.operation = start ? "RunPod" : "CreatePod";
    request.deadline = deadline;
    request.ceiling = options_.boot_timeout + absl::Minutes(1);
    request.boots = true;
    SubmitForPod(
        id, request,
        [this, created = pod, start](Pod& pod, Grant& grant) {
          // Between its appearance and this lock a forced delete may have come.
          if (&pod != created.get())
            return absl::AbortedError(absl::StrCat("pod ", pod.id(), ": it was deleted meanwhile"));
          return CreateBody(pod, start, grant);
        },
        done);
  });
}

absl::Status LivePodRuntime::CreateBody(Pod& pod, bool start, Grant& grant) {
  const std::string id = pod.id();
  absl::Status status = [&] {
    VCD_RETURN_IF_ERROR(store_.CreatePodDirectories(id));
    VCD_RETURN_IF_ERROR(grant.lock.TakeLockFile());
    // The record first: without it a configuration would look like a pod that was stopped by a reboot.
    VCD_RETURN_IF_ERROR(pod.Change([](state::v1::PodRecord&) {}));
    VCD_RETURN_IF_ERROR(pod.ChangeConfig([](v1::PodConfig&) {}));
    VCD_RETURN_IF_ERROR(BringUp(
        pod, environment_, std::move(grant.place),
        [start](state::v1::PodRecord& record) {
          if (start) return;
          record.set_state(v1::POD_STATE_READY);
          record.set_intent(state::v1::INTENT_UNSPECIFIED);
        },
        grant.context));
    pod.Tell(v1::EVENT_TYPE_POD_CREATED);
    const v1::PodConfig config = pod.config();
    for (const v1::ContainerConfig& container : config.containers()) {
      pod.Tell(v1::EVENT_TYPE_CONTAINER_CREATED, container.id());
    }
    if (!start) return absl::OkStatus();
    absl::Status started = ReleaseContainers(pod, grant.context);
    if (!started.ok()) {
      TearDownOptions options;
      options.orderly = false;
      options.end = KilledStatus();
      (void)TearDown(pod, options);
    }
    return started;
  }();
  if (status.ok()) {
    LogInfo(id, start ? "running" : "ready");
    if (start) pod.Tell(v1::EVENT_TYPE_POD_STARTED);
    return status;
  }
  const absl::Status removed = store_.RemovePod(id);
  if (!removed.ok()) LogError(id, absl::StrCat("undo: remove records: ", removed.message()));
  registry_.Remove(id);
  LogInfo(id, absl::StrCat("not created: ", status.message()));
  return Annotate(status, absl::StrCat("pod ", id));
}

void LivePodRuntime::StartPod(const std::string& pod_id, absl::Time deadline, PodCallback done) {
  Request request;
  request.operation = "StartPod";
  request.deadline = deadline;
  request.ceiling = options_.boot_timeout + absl::Minutes(1);
  request.boots = true;
  SubmitForPod(
      pod_id, request, [this](Pod& pod, Grant& grant) { return StartBody(pod, grant); }, std::move(done));
}

absl::Status LivePodRuntime::StartBody(Pod& pod, Grant& grant) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kStart, pod.id(), pod.state()));
  VCD_RETURN_IF_ERROR(pod.Change([](state::v1::PodRecord& record) { record.set_intent(state::v1::INTENT_START); }));
  absl::Status status;
  if (pod.state() == v1::POD_STATE_STOPPED) {
    status = BringUp(
        pod, environment_, std::move(grant.place), [](state::v1::PodRecord&) {}, grant.context);
  }
  if (status.ok()) status = ReleaseContainers(pod, grant.context);
  if (status.ok()) {
    LogInfo(pod.id(), "running");
    pod.Tell(v1::EVENT_TYPE_POD_STARTED);
    return status;
  }
  TearDownOptions options;
  options.orderly = false;
  options.end = KilledStatus();
  options.reason = absl::StrCat("start failed: ", status.message());
  (void)TearDown(pod, options);
  pod.Tell(v1::EVENT_TYPE_POD_STOPPED, "", "", std::nullopt, options.reason);
  return Annotate(status, absl::StrCat("pod ", pod.id(), ": start"));
}

absl::Status LivePodRuntime::Preempted(const std::string& pod_id, const std::string& operation) {
  return WithDetail(absl::AbortedError(absl::StrCat("pod ", pod_id, ": ", operation, " with force came first")),
                    {v1::ERROR_REASON_PREEMPTED, {{"pod_id", pod_id}}});
}

void LivePodRuntime::StopPod(const std::string& pod_id, const StopOptions& options, absl::Time deadline,
                             PodCallback done) {
  Request request;
  request.operation = "StopPod";
  request.deadline = deadline;
  request.ceiling = absl::InfiniteDuration();
  if (options.force) request.preempt = Preempted(pod_id, request.operation);
  SubmitForPod(
      pod_id, request, [this, options](Pod& pod, Grant&) { return StopBody(pod, options); }, std::move(done));
}

absl::Status LivePodRuntime::StopBody(Pod& pod, const StopOptions& options) {
  const v1::PodState before = pod.state();
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kStop, pod.id(), before));
  if (before == v1::POD_STATE_STOPPED) return absl::OkStatus();
  // A full disk must not keep a pod from being stopped.
  (void)pod.Change(
      [](state::v1::PodRecord& record) {
        record.set_intent(state::v1::INTENT_STOP);
        record.set_state(v1::POD_STATE_STOPPING);
      },
      /*fact=*/true);
  if (before == v1::POD_STATE_PAUSED && !options.force && pod.machine() != nullptr) {
    // A paused guest cannot end its containers in order.
    (void)pod.machine()->Resume({absl::Now() + absl::Seconds(5), nullptr});
  }
  TearDownOptions tear_down;
  tear_down.orderly = !options.force;
  tear_down.grace = options.grace > absl::ZeroDuration() ? options.grace : options_.stop_grace;
  tear_down.end = KilledStatus();
  VCD_RETURN_IF_ERROR(TearDown(pod, tear_down));
  LogInfo(pod.id(), "stopped");
  pod.Tell(v1::EVENT_TYPE_POD_STOPPED);
  return absl::OkStatus();
}

void LivePodRuntime::PausePod(const std::string& pod_id, absl::Time deadline, PodCallback done) {
  Request request;
  request.operation = "PausePod";
  request.deadline = deadline;
  request.ceiling = absl::Seconds(30);
  SubmitForPod(
      pod_id, request, [this](Pod& pod, Grant& grant) { return PauseBody(pod, grant.context); }, std::move(done));
}

absl::Status LivePodRuntime::PauseBody(Pod& pod, const CallContext& context) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kPause, pod.id(), pod.state()));
  VCD_RETURN_IF_ERROR(Annotate(pod.machine()->Pause(context), absl::StrCat("pod ", pod.id(), ": pause the VM")));
  absl::Status changed = pod.Change([](state::v1::PodRecord& record) {
    record.set_state(v1::POD_STATE_PAUSED);
    for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
      if (container.state() == v1::CONTAINER_STATE_RUNNING) container.set_state(v1::CONTAINER_STATE_PAUSED);
    }
  });
  if (!changed.ok()) {
    (void)pod.machine()->Resume({absl::Now() + absl::Seconds(10), nullptr});
    return changed;
  }
  LogInfo(pod.id(), "paused");
  pod.Tell(v1::EVENT_TYPE_POD_PAUSED);
  return absl::OkStatus();
}

void LivePodRuntime::ResumePod(const std::string& pod_id, absl::Time deadline, PodCallback done) {
  Request request;
  request.operation = "ResumePod";
  request.deadline = deadline;
  request.ceiling = absl::Seconds(30);
  SubmitForPod(
      pod_id, request, [this](Pod& pod, Grant& grant) { return ResumeBody(pod, grant.context); }, std::move(done));
}

absl::Status LivePodRuntime::ResumeBody(Pod& pod, const CallContext& context) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kResume, pod.id(), pod.state()));
  VCD_RETURN_IF_ERROR(Annotate(pod.machine()->Resume(context), absl::StrCat("pod ", pod.id(), ": resume the VM")));
  // After a restart of the daemon the guest of a paused pod could not be spoken to; now it can.
  if (pod.session() == nullptr) VCD_RETURN_IF_ERROR(ReconnectGuest(pod, context));
  VCD_RETURN_IF_ERROR(pod.Change([](state::v1::PodRecord& record) {
    record.set_state(v1::POD_STATE_RUNNING);
    for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
      if (container.state() == v1::CONTAINER_STATE_PAUSED) container.set_state(v1::CONTAINER_STATE_RUNNING);
    }
  }));
  LogInfo(pod.id(), "resumed");
  pod.Tell(v1::EVENT_TYPE_POD_RESUMED);
  return absl::OkStatus();
}

void LivePodRuntime::DeletePod(const std::string& pod_id, bool force, absl::Time deadline, DoneCallback done) {
  Request request;
  request.operation = "DeletePod";
  request.deadline = deadline;
  request.ceiling = absl::InfiniteDuration();
  if (force) request.preempt = Preempted(pod_id, request.operation);
  Submit(
      pod_id, request, [this, force](Pod& pod, Grant&) { return DeleteBody(pod, force); }, std::move(done));
}

absl::Status LivePodRuntime::DeleteBody(Pod& pod, bool force) {
  if (!force) VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kDelete, pod.id(), pod.state()));
  (void)pod.Change(
      [](state::v1::PodRecord& record) {
        record.set_intent(state::v1::INTENT_DELETE);
        record.set_state(v1::POD_STATE_STOPPING);
      },
      /*fact=*/true);
  TearDownOptions options;
  options.orderly = false;
  options.end = KilledStatus();
  VCD_RETURN_IF_ERROR(TearDown(pod, options));
  VCD_RETURN_IF_ERROR(Annotate(store_.RemovePod(pod.id()), absl::StrCat("pod ", pod.id(), ": remove its records")));
  registry_.Remove(pod.id());
  LogInfo(pod.id(), "deleted");
  pod.Tell(v1::EVENT_TYPE_POD_DELETED);
  return absl::OkStatus();
}

void LivePodRuntime::UpdatePodAnnotations(const std::string& pod_id, const std::map<std::string, std::string>& set,
                                          const std::vector<std::string>& remove_keys, absl::Time deadline,
                                          PodCallback done) {
  Request request;
  request.operation = "UpdatePodAnnotations";
  request.deadline = deadline;
  request.ceiling = absl::Seconds(30);
  SubmitForPod(
      pod_id, request,
      [set, remove_keys](Pod& pod, Grant&) {
        VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kAnnotate, pod.id(), pod.state()));
        v1::PodConfig merged = pod.config();
        for (const std::string& key : remove_keys) merged.mutable_annotations()->erase(key);
        for (const auto& [key, value] : set) (*merged.mutable_annotations())[key] = value;
        VCD_RETURN_IF_ERROR(ValidateAnnotations(merged.annotations()));
        VCD_RETURN_IF_ERROR(CheckBackendAnnotations(pod.hypervisor(), merged.annotations()));
        return pod.ChangeConfig([&merged](v1::PodConfig& config) { config = merged; });
      },
      std::move(done));
}

void LivePodRuntime::HandleLost(const std::string& pod_id, const absl::Status& why) {
  Request request;
  request.operation = "release of a lost VM";
  request.deadline = absl::Now() + absl::Minutes(5);
  request.ceiling = absl::InfiniteDuration();
  request.preempt = why;
  Submit(
      pod_id, request,
      [pod_id, why](Pod& pod, Grant&) {
        // Whoever was cancelled may have taken it down already.
        if (pod.machine() == nullptr) return absl::OkStatus();
        const std::optional<std::string> end = pod.MachineEnd(absl::Milliseconds(500));
        TearDownOptions options;
        options.orderly = false;
        options.end = end.has_value() ? absl::StatusOr<v1::ExitStatus>(VmExited(pod_id, *end)) : why;
        options.state = v1::POD_STATE_FAILED;
        options.reason = end.value_or(std::string(why.message()));
        LogError(pod.id(), absl::StrCat("failed: ", options.reason));
        VCD_RETURN_IF_ERROR(TearDown(pod, options));
        pod.Tell(v1::EVENT_TYPE_POD_FAILED, "", "", std::nullopt, options.reason);
        return absl::OkStatus();
      },
      [](const absl::Status&) {});
}

}  // namespace vcd
