// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_lifecycle.h"

#include <signal.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/name_files.h"
#include "core/os/completion.h"
#include "core/pod/container_attachments.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/undo_stack.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// What cleaning up inside a machine may take, whatever the caller's own deadline. It ends with the lock's cancellation:
// then either the machine ends next, or the daemon does and the next one cleans up.
CallContext CleanUpContext(const CallContext& caller) { return {absl::Now() + absl::Seconds(10), caller.cancellation}; }

}  // namespace

v1::ExitStatus KilledStatus() {
  v1::ExitStatus status;
  status.set_signal(SIGKILL);
  status.set_code(128 + SIGKILL);
  return status;
}

absl::Status CreateInGuest(Pod& pod, const v1::ContainerConfig& config, state::v1::PodRecord& record,
                           state::v1::ContainerRecord& container, const CallContext& context, OperationClock& clock) {
  const std::string step = absl::StrCat("create container ", config.id());
  VCD_RETURN_IF_ERROR(context.Check(step));
  const std::string netns_path = record.network().netns_path();
  VCD_RETURN_IF_ERROR(RunHooksBeforeContainer(pod, config, netns_path, context, clock));
  UndoStack undo;
  GuestContainerSpec spec;
  spec.config = config;
  AddStartHooks(pod, spec);
  const std::shared_ptr<const v1::PodConfig> pod_config = pod.config();
  spec.hostname = pod_config->hostname();
  spec.resolv_conf = ResolvConf(*pod_config, record.network());
  spec.hosts = Hosts(*pod_config, record.network());
  spec.share_process_namespace = pod_config->share_process_namespace();
  if (pod.agent().capabilities().runs_processes) {
    // Each thing is noted as soon as it is there, so this undoes as much as there is.
    undo.Push([&pod, &container, &context] {
      const absl::Status detached = Detach(pod, container, CleanUpContext(context));
      if (!detached.ok()) LogError(pod.id(), absl::StrCat("undo: detach from the machine: ", detached.message()));
      ForgetAttachments(container);
    });
    VCD_RETURN_IF_ERROR(Annotate(Attach(pod, record, container, spec, context), step));
  }
  // Before the container is there, so that not a byte of its output comes too early.
  VCD_RETURN_IF_ERROR(pod.AddContainerProcess(config.id(), nullptr, context));
  undo.Push([&pod, &config] { pod.RemoveProcess({config.id(), ""}); });
  absl::StatusOr<int32_t> pid = pod.session()->CreateContainer(spec, context);
  if (!pid.ok()) return WithMetadata(Annotate(pid.status(), step), "container_id", config.id());
  undo.Push([&pod, &config, &context] {
    const absl::Status removed = pod.session()->RemoveContainer(config.id(), CleanUpContext(context));
    if (!removed.ok()) LogError(pod.id(), absl::StrCat("undo: remove the container: ", removed.message()));
  });
  VCD_RETURN_IF_ERROR(RunHooksOfHeldContainer(pod, config, netns_path, context, clock));
  undo.Commit();

  container.set_id(config.id());
  container.set_state(v1::CONTAINER_STATE_READY);
  container.set_guest_pid(*pid);
  container.clear_reason();
  container.clear_exit_status();
  container.clear_started_at();
  container.clear_finished_at();
  if (!container.has_created_at()) StampNow(container.mutable_created_at());
  return absl::OkStatus();
}

absl::Status StartInGuest(Pod& pod, state::v1::ContainerRecord& container, const CallContext& context) {
  const absl::Status started = pod.session()->StartContainer(container.id(), context);
  if (!started.ok()) {
    return WithMetadata(Annotate(started, absl::StrCat("start container ", container.id())), "container_id",
                        container.id());
  }
  container.set_state(v1::CONTAINER_STATE_RUNNING);
  StampNow(container.mutable_started_at());
  return absl::OkStatus();
}

void NoteFailedStart(Pod& pod, const std::string& container_id, const absl::Status& why) {
  const std::optional<ErrorDetail> detail = DetailOf(why);
  const bool hook_failed = detail.has_value() && detail->reason == v1::ERROR_REASON_HOOK_FAILED;
  (void)pod.Change(
      [&](state::v1::PodRecord& record) {
        record.clear_under_way();
        // Its process has ended with that, which is recorded when it is told.
        state::v1::ContainerRecord* known = FindContainer(record, container_id);
        if (hook_failed && known != nullptr) known->set_reason(std::string(why.message()));
      },
      /*fact=*/true);
}

absl::Status RemoveFromGuest(Pod& pod, const state::v1::ContainerRecord& container, const CallContext& context) {
  absl::Status result;
  if (pod.session() != nullptr) result.Update(pod.session()->RemoveContainer(container.id(), context));
  result.Update(Detach(pod, container, context));
  return result;
}

absl::Status EndProcesses(Pod& pod, const std::vector<std::string>& container_ids, absl::Duration grace,
                          const CallContext& context) {
  // Each stage signals all before it waits for any, so that the grace is one for all of them.
  struct Stage {
    int signal;
    absl::Duration limit;
  };
  for (const Stage& stage : {Stage{SIGTERM, grace}, Stage{SIGKILL, absl::Seconds(10)}}) {
    if (stage.limit <= absl::ZeroDuration()) continue;
    const CallContext stage_context = context.Within(stage.limit);
    std::vector<std::shared_ptr<ProcessEntry>> waiting;
    for (const std::string& id : container_ids) {
      std::shared_ptr<ProcessEntry> process = pod.FindProcess({id, ""});
      if (process == nullptr || process->end().has_value()) continue;
      VCD_RETURN_IF_ERROR(
          pod.session()->Signal({id, ""}, stage.signal, /*all=*/false, context.Within(absl::Seconds(5))));
      waiting.push_back(std::move(process));
    }
    bool all_ended = true;
    for (const std::shared_ptr<ProcessEntry>& process : waiting) {
      Completion<v1::ExitStatus> ended;
      std::unique_ptr<PodRuntime::WaitHandle> handle =
          process->Wait([ended](absl::StatusOr<v1::ExitStatus> status) { ended.Set(std::move(status)); });
      all_ended &= ended.Wait(stage_context, "the container's end").ok();
    }
    if (all_ended) return absl::OkStatus();
    VCD_RETURN_IF_ERROR(context.Check("end the containers"));
  }
  return absl::DeadlineExceededError("a container survives SIGKILL");
}

absl::Status EndContainer(Pod& pod, const std::string& container_id, absl::Duration grace,
                          const state::v1::Request& request, const CallContext& context) {
  const state::v1::PodRecord before = pod.record();
  const state::v1::ContainerRecord* known = FindContainer(before, container_id);
  if (known == nullptr) return ContainerNotFound(pod.id(), container_id);
  VCD_RETURN_IF_ERROR(EndProcesses(pod, {container_id}, grace, context));
  pod.RecordExits();
  pod.AwaitLogsPatiently(container_id, context);
  VCD_RETURN_IF_ERROR(RemoveFromGuest(pod, *known, context));
  pod.RemoveProcesses(container_id, KilledStatus());
  return pod.Change(
      [&](state::v1::PodRecord& record) {
        Remember(record, request);
        state::v1::ContainerRecord* container = FindContainer(record, container_id);
        if (container == nullptr) return;
        container->set_state(v1::CONTAINER_STATE_STOPPED);
        container->set_guest_pid(0);
        ForgetAttachments(*container);
        if (pod.machine() != nullptr) *record.mutable_vm() = pod.machine()->Record();
        if (!container->has_finished_at()) StampNow(container->mutable_finished_at());
      },
      /*fact=*/true);
}

absl::Status ForgetContainer(Pod& pod, const std::string& container_id, const state::v1::Request& request) {
  VCD_RETURN_IF_ERROR(pod.ChangeConfig(
      [&](v1::PodConfig& config) {
        auto& list = *config.mutable_containers();
        const auto is_it = [&](const auto& entry) { return entry.id() == container_id; };
        list.erase(std::remove_if(list.begin(), list.end(), is_it), list.end());
      },
      DiskRoom::kReserve));
  return pod.Change(
      [&](state::v1::PodRecord& record) {
        RemoveContainer(record, container_id);
        Remember(record, request);
        if (pod.machine() != nullptr) *record.mutable_vm() = pod.machine()->Record();
      },
      /*fact=*/true);
}

}  // namespace vcd
