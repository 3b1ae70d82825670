// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"
#include "core/log/logger.h"
#include "core/model/ids.h"
#include "core/model/pod_validation.h"
#include "core/model/request_id.h"
#include "core/pod/console_reader.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Ended execs whose exit may still be asked for; older ones are forgotten, here and in the guest.
constexpr size_t kEndedExecsKept = 64;

// How long a guest may take for a signal, or for the size of a terminal.
constexpr absl::Duration kSignalCeiling = absl::Seconds(30);

// What the ids of processes begin with that pack or unpack files.
constexpr char kCopyPrefix[] = "copy-";

// A reader of a log that has no process any more.
struct EmptyReader : OutputReader {
  void Next(Callback callback) override { callback(std::optional<OutputChunk>()); }
};

// Who writes to a process of a pod.
class EntryWriter : public InputWriter {
 public:
  EntryWriter(std::shared_ptr<Pod> pod, std::shared_ptr<ProcessEntry> entry)
      : pod_(std::move(pod)), entry_(std::move(entry)) {}
  ~EntryWriter() override { entry_->ReleaseInput(); }

  void Write(std::string data, bool close, std::function<void(absl::Status)> done) override {
    pod_->guest().WriteInput(entry_->key(), std::move(data), close, std::move(done));
  }

 private:
  const std::shared_ptr<Pod> pod_;
  const std::shared_ptr<ProcessEntry> entry_;
};

}  // namespace

void LivePodRuntime::ForgetOldExecs(Pod& pod, const CallContext& context) {
  for (const ProcessKey& key : pod.EndedExecs(kEndedExecsKept)) {
    const absl::Status removed = pod.session()->RemoveProcess(key, context);
    if (!removed.ok()) LogError(pod.id(), absl::StrCat("forget process ", key.process_id, ": ", removed.message()));
    pod.RemoveProcess(key);
  }
}

void LivePodRuntime::Exec(const std::string& pod_id, const std::string& container_id, v1::Cmd cmd,
                          const MutationOptions& options, std::function<void(absl::StatusOr<ExecResult>)> done) {
  const absl::Status valid = ValidateCmd(cmd, "cmd");
  if (!valid.ok()) return done(valid);
  Operation operation;
  operation.name = "Exec";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, container_id, FingerprintPart(cmd)});
  operation.mode = LockMode::kShared;
  operation.ceiling = absl::Seconds(30);
  const ProcessKey key{
      container_id, absl::StrCat("exec-", options.request_id.empty() ? GenerateId() : IdOfRequest(options.request_id))};
  GuestProcess process;
  process.key = key;
  process.terminal = cmd.terminal();
  SubmitExec(
      pod_id, process, operation,
      [key, cmd = std::move(cmd)](GuestSession& session, const CallContext& context) {
        return session.Exec(key, cmd, context);
      },
      std::move(done));
}

void LivePodRuntime::ExecArchive(const std::string& pod_id, const std::string& container_id, GuestArchive archive,
                                 const MutationOptions& options, std::function<void(absl::StatusOr<ExecResult>)> done) {
  Operation operation;
  operation.name = archive.write ? "WriteArchive" : "ReadArchive";
  operation.options = options;
  operation.mode = LockMode::kShared;
  operation.ceiling = absl::Seconds(30);
  const ProcessKey key{container_id, absl::StrCat(kCopyPrefix, GenerateId())};
  GuestProcess process;
  process.key = key;
  SubmitExec(
      pod_id, process, operation,
      [key, archive = std::move(archive)](GuestSession& session, const CallContext& context) {
        absl::StatusOr<int32_t> pid = session.ExecArchive(key, archive, context);
        if (!absl::IsUnimplemented(pid.status())) return pid;
        return absl::StatusOr<int32_t>(WithDetail(pid.status(), {v1::ERROR_REASON_NOT_IMPLEMENTED, {}}));
      },
      std::move(done));
}

void LivePodRuntime::EndCopies(Pod& pod, const CallContext& context) {
  for (const GuestProcess& process : pod.session()->info().processes) {
    if (!absl::StartsWith(process.key.process_id, kCopyPrefix) || process.exit.has_value()) continue;
    const absl::Status ended = pod.session()->Signal(process.key, SIGKILL, /*all=*/false, context);
    if (!ended.ok()) LogError(pod.id(), absl::StrCat("end ", process.key.process_id, ": ", ended.message()));
  }
}

void LivePodRuntime::SubmitExec(const std::string& pod_id, const GuestProcess& process, const Operation& operation,
                                StartProcess start, std::function<void(absl::StatusOr<ExecResult>)> done) {
  Submit(
      pod_id, operation,
      [this, process, start = std::move(start)](Pod& pod, Grant& grant) {
        // The id of the process is the request's, so that a repetition finds it: also after a crash, in the guest.
        if (pod.FindProcess(process.key) != nullptr) return absl::OkStatus();
        return ExecBody(pod, process, start, grant.context);
      },
      [this, pod_id, key = process.key, done = std::move(done)](const absl::Status& status) {
        if (!status.ok()) return done(status);
        ExecResult result{key.process_id, 0};
        absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
        std::shared_ptr<ProcessEntry> entry = pod.ok() ? (*pod)->FindProcess(key) : nullptr;
        if (entry != nullptr) result.guest_pid = entry->guest_pid();
        done(result);
      });
}

absl::Status LivePodRuntime::ExecBody(Pod& pod, const GuestProcess& process, const StartProcess& start,
                                      const CallContext& context) {
  const ProcessKey& key = process.key;
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kExec, pod.id(), pod.state()));
  VCD_ASSIGN_OR_RETURN(const v1::Container container, pod.ViewContainer(key.container_id));
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kExec, pod.id(), key.container_id, container.state()));
  ForgetOldExecs(pod, context);
  pod.AddExecProcess(process);
  absl::StatusOr<int32_t> pid = start(*pod.session(), context);
  if (!pid.ok()) {
    pod.RemoveProcess(key);
    // Agents say which process of which container it is, and what was done.
    return WithMetadata(OfPod(pid.status(), pod.id()), "container_id", key.container_id);
  }
  if (std::shared_ptr<ProcessEntry> entry = pod.FindProcess(key)) entry->set_guest_pid(*pid);
  pod.Tell(v1::EVENT_TYPE_PROCESS_STARTED, key.container_id, key.process_id);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::ExecInfo>> LivePodRuntime::ListExecs(const std::string& pod_id,
                                                                    const std::string& container_id) const {
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod, registry_.Find(pod_id));
  if (!container_id.empty()) VCD_RETURN_IF_ERROR(pod->ViewContainer(container_id).status());
  std::vector<v1::ExecInfo> execs = pod->Execs(container_id);
  // Copies and connections are processes of the daemon's own, which no Exec started.
  execs.erase(std::remove_if(execs.begin(), execs.end(),
                             [](const v1::ExecInfo& exec) {
                               return exec.container_id().empty() || absl::StartsWith(exec.process_id(), kCopyPrefix);
                             }),
              execs.end());
  return execs;
}

void LivePodRuntime::Signal(const std::string& pod_id, const ProcessKey& process, int signal, bool all,
                            const MutationOptions& options, DoneCallback done) {
  Operation operation;
  operation.name = "Signal";
  operation.options = options;
  operation.fingerprint = RequestFingerprint(
      {operation.name, pod_id, process.container_id, process.process_id, absl::StrCat(signal), all ? "all" : ""});
  DoneCallback entered = Enter(operation, std::move(done));
  if (entered == nullptr) return;
  state::v1::Request request;
  request.set_request_id(options.request_id);
  request.set_fingerprint(operation.fingerprint);
  AwaitRecovery(
      pod_id, options.deadline,
      [this, pod_id, process, signal, all, options, request, entered = std::move(entered)](const absl::Status& known) {
        if (!known.ok()) return entered(known);
        work_.Post([=, this] {
          const absl::Time deadline = std::min(options.deadline, absl::Now() + kSignalCeiling);
          entered(WithMetadata(SendSignal(pod_id, process, signal, all, deadline, request), "pod_id", pod_id));
        });
      });
}

absl::Status LivePodRuntime::SendSignal(const std::string& pod_id, const ProcessKey& process, int signal, bool all,
                                        absl::Time deadline, const state::v1::Request& request) {
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod, registry_.Find(pod_id));
  bool repeated = false;
  VCD_RETURN_IF_ERROR(CheckRepeated(*pod, request, &repeated));
  if (repeated) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kSignal, pod->id(), pod->state()));
  VCD_ASSIGN_OR_RETURN(const v1::Container container, pod->ViewContainer(process.container_id));
  // A request with an id may be the repetition of one whose answer a crash cut off, and which had this effect.
  if (!request.request_id().empty() && container.state() == v1::CONTAINER_STATE_STOPPED) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kSignal, pod->id(), process.container_id, container.state()));
  if (pod->FindProcess(process) == nullptr) return pod->ProcessNotFound(process);
  VCD_RETURN_IF_ERROR(Annotate(pod->guest().Signal(process, signal, all, deadline),
                               absl::StrCat("pod ", pod->id(), ": signal ", signal)));
  return pod->RememberDone(request);
}

std::unique_ptr<PodRuntime::WaitHandle> LivePodRuntime::Wait(const std::string& pod_id, const ProcessKey& process,
                                                             std::function<void(absl::StatusOr<v1::ExitStatus>)> done) {
  absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  if (!pod.ok()) {
    done(pod.status());
    return nullptr;
  }
  if (std::shared_ptr<ProcessEntry> entry = (*pod)->FindProcess(process)) return entry->Wait(std::move(done));
  if (IsDial(process)) {
    done((*pod)->ProcessNotFound(process));
    return nullptr;
  }
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
                                                                       const std::string& container_id,
                                                                       const LogSelection& selection) {
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
  return log->NewReader(selection);
}

absl::StatusOr<std::unique_ptr<OutputReader>> LivePodRuntime::ReadConsole(const std::string& pod_id,
                                                                          const ConsoleSelection& selection) {
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod, registry_.Find(pod_id));
  const auto more_comes = [weak = std::weak_ptr<Pod>(pod)] {
    const std::shared_ptr<Pod> pod = weak.lock();
    if (pod == nullptr) return false;
    const state::v1::PodRecord record = pod->record();
    return record.has_vm() || record.state() == v1::POD_STATE_CREATING;
  };
  return std::make_unique<ConsoleReader>(io_, pod->machine_dir(), selection, more_comes);
}

absl::StatusOr<std::unique_ptr<InputWriter>> LivePodRuntime::OpenInput(const std::string& pod_id,
                                                                       const ProcessKey& process) {
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<Pod> pod, registry_.Find(pod_id));
  std::shared_ptr<ProcessEntry> entry = pod->FindProcess(process);
  if (entry == nullptr) return pod->ProcessNotFound(process);
  if (!entry->TakeInput()) {
    const std::string of_exec = process.process_id.empty() ? "" : absl::StrCat("--process ", process.process_id, " ");
    return WithDetail(absl::FailedPreconditionError(absl::StrCat(
                          "pod ", pod_id, ", ", DescribeProcess(process),
                          ": another attach writes to its standard input; attach without (`vc attach --no-stdin -c ",
                          process.container_id, " ", of_exec, pod_id, "`), or end that one first")),
                      {v1::ERROR_REASON_STDIN_TAKEN, {{"pod_id", pod_id}, {"container_id", process.container_id}}});
  }
  return std::make_unique<EntryWriter>(std::move(pod), std::move(entry));
}

bool LivePodRuntime::HasWriter(const std::string& pod_id, const ProcessKey& process) const {
  const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  const std::shared_ptr<ProcessEntry> entry = pod.ok() ? (*pod)->FindProcess(process) : nullptr;
  return entry != nullptr && entry->input_taken();
}

void LivePodRuntime::CloseInput(const std::string& pod_id, const ProcessKey& process, absl::Time deadline,
                                DoneCallback done) {
  AwaitRecovery(pod_id, deadline, [this, pod_id, process, done = std::move(done)](const absl::Status& known) {
    if (!known.ok()) return done(known);
    const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
    if (!pod.ok()) return done(pod.status());
    if ((*pod)->FindProcess(process) == nullptr) return done((*pod)->ProcessNotFound(process));
    (*pod)->guest().WriteInput(process, "", /*close=*/true, done);
  });
}

void LivePodRuntime::ResizeTerminal(const std::string& pod_id, const ProcessKey& process, const v1::TerminalSize& size,
                                    const MutationOptions& options, DoneCallback done) {
  // Not remembered by its id: to do it again does no harm.
  AwaitRecovery(pod_id, options.deadline, [=, this, done = std::move(done)](const absl::Status& known) {
    if (!known.ok()) return done(known);
    absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
    if (!pod.ok()) return done(pod.status());
    if ((*pod)->FindProcess(process) == nullptr) return done((*pod)->ProcessNotFound(process));
    work_.Post([pod = *std::move(pod), process, size, options, done] {
      const absl::Time deadline = std::min(options.deadline, absl::Now() + kSignalCeiling);
      const absl::Status resized = pod->guest().ResizeTerminal(process, size, deadline);
      done(WithMetadata(OfPod(resized, pod->id()), "pod_id", pod->id()));
    });
  });
}

}  // namespace vcd
