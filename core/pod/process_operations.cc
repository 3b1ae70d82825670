// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/ids.h"
#include "core/model/pod_validation.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Ended execs whose exit may still be asked for; older ones are forgotten, here and in the guest.
constexpr size_t kEndedExecsKept = 64;

// A reader of a log that has no process any more.
struct EmptyReader : OutputReader {
  void Next(Callback callback) override { callback(std::optional<OutputChunk>()); }
};

}  // namespace

void LivePodRuntime::ForgetOldExecs(Pod& pod, const CallContext& context) {
  for (const ProcessKey& key : pod.EndedExecs(kEndedExecsKept)) {
    const absl::Status removed = pod.session()->RemoveProcess(key, context);
    if (!removed.ok()) LogError(pod.id(), absl::StrCat("forget process ", key.process_id, ": ", removed.message()));
    pod.RemoveProcess(key);
  }
}

void LivePodRuntime::Exec(const std::string& pod_id, const std::string& container_id, v1::Cmd cmd, absl::Time deadline,
                          std::function<void(absl::StatusOr<ExecResult>)> done) {
  const absl::Status valid = ValidateCmd(cmd, "cmd");
  if (!valid.ok()) return done(valid);
  Request request;
  request.operation = "Exec";
  request.mode = LockMode::kShared;
  request.deadline = deadline;
  request.ceiling = absl::Seconds(30);
  auto result = std::make_shared<ExecResult>();
  Submit(
      pod_id, request,
      [this, container_id, cmd = std::move(cmd), result](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kExec, pod.id(), pod.state()));
        VCD_ASSIGN_OR_RETURN(const v1::Container container, pod.ViewContainer(container_id));
        VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kExec, pod.id(), container_id, container.state()));
        ForgetOldExecs(pod, grant.context);
        const ProcessKey key{container_id, absl::StrCat("exec-", GenerateId())};
        pod.AddExecProcess(key, 0, 0);
        absl::StatusOr<int32_t> pid = pod.session()->Exec(key, cmd, grant.context);
        if (!pid.ok()) {
          pod.RemoveProcess(key);
          return WithMetadata(
              Annotate(pid.status(), absl::StrCat("pod ", pod.id(), ", container ", container_id, ": exec")),
              "container_id", container_id);
        }
        *result = {key.process_id, *pid};
        pod.Tell(v1::EVENT_TYPE_PROCESS_STARTED, container_id, key.process_id);
        return absl::OkStatus();
      },
      [result, done = std::move(done)](const absl::Status& status) {
        status.ok() ? done(*result) : done(absl::StatusOr<ExecResult>(status));
      });
}

void LivePodRuntime::Signal(const std::string& pod_id, const ProcessKey& process, int signal, bool all,
                            absl::Time deadline, DoneCallback done) {
  Request request;
  request.operation = "Signal";
  request.mode = LockMode::kShared;
  request.deadline = deadline;
  request.ceiling = absl::Seconds(30);
  Submit(
      pod_id, request,
      [process, signal, all](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kSignal, pod.id(), pod.state()));
        VCD_ASSIGN_OR_RETURN(const v1::Container container, pod.ViewContainer(process.container_id));
        VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kSignal, pod.id(), process.container_id, container.state()));
        if (pod.FindProcess(process) == nullptr) return pod.ProcessNotFound(process);
        return Annotate(pod.session()->Signal(process, signal, all, grant.context),
                        absl::StrCat("pod ", pod.id(), ": signal ", signal));
      },
      std::move(done));
}

std::unique_ptr<PodRuntime::WaitHandle> LivePodRuntime::Wait(const std::string& pod_id, const ProcessKey& process,
                                                             std::function<void(absl::StatusOr<v1::ExitStatus>)> done) {
  absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  if (!pod.ok()) {
    done(pod.status());
    return nullptr;
  }
  if (std::shared_ptr<ProcessEntry> entry = (*pod)->FindProcess(process)) return entry->Wait(std::move(done));
  // The process is gone; how a container's first one ended is in its record.
  absl::StatusOr<v1::Container> container = (*pod)->ViewContainer(process.container_id);
  if (!container.ok()) {
    done(container.status());
  } else if (process.process_id.empty() && container->has_exit_status()) {
    done(container->exit_status());
  } else {
    done((*pod)->ProcessNotFound(process));
  }
  return nullptr;
}

absl::StatusOr<std::unique_ptr<OutputReader>> LivePodRuntime::Attach(const std::string& pod_id,
                                                                     const ProcessKey& process, OutputStart start) {
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<Pod> pod, registry_.Find(pod_id));
  std::shared_ptr<ProcessEntry> entry = pod->FindProcess(process);
  if (entry == nullptr) return pod->ProcessNotFound(process);
  return entry->NewReader(start);
}

absl::StatusOr<std::unique_ptr<OutputReader>> LivePodRuntime::ReadLogs(const std::string& pod_id,
                                                                       const std::string& container_id, bool follow,
                                                                       uint32_t tail_lines) {
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<Pod> pod, registry_.Find(pod_id));
  VCD_RETURN_IF_ERROR(pod->ViewContainer(container_id).status());
  std::shared_ptr<ContainerLog> log;
  if (std::shared_ptr<ProcessEntry> entry = pod->FindProcess({container_id, ""})) log = entry->log();
  if (log == nullptr) {
    absl::StatusOr<std::shared_ptr<ContainerLog>> ended = ContainerLog::OpenEnded(pod->LogPath(container_id));
    // A container that was never started has none.
    if (absl::IsNotFound(ended.status())) return std::make_unique<EmptyReader>();
    VCD_RETURN_IF_ERROR(ended.status());
    log = *std::move(ended);
  }
  if (tail_lines != 0) return log->NewTailReader(tail_lines, follow);
  return log->NewReader(OutputStart::kBeginning, follow);
}

void LivePodRuntime::WriteInput(const std::string& pod_id, const ProcessKey& process, std::string data, bool close,
                                DoneCallback done) {
  absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  if (!pod.ok()) return done(pod.status());
  if ((*pod)->FindProcess(process) == nullptr) return done((*pod)->ProcessNotFound(process));
  (*pod)->guest().WriteInput(process, std::move(data), close, std::move(done));
}

}  // namespace vcd
