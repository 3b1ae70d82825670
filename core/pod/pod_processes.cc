// SPDX-License-Identifier: Apache-2.0
// The processes of a pod: those that are known, what the guest tells of them, and how their ends get on record.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"
#include "core/log/logger.h"
#include "core/pod/pod.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Of the guest, for a connection that has ended.
constexpr absl::Duration kForgetTime = absl::Seconds(10);

}  // namespace

absl::Status Pod::AddContainerProcess(const std::string& container_id, const GuestProcess* known,
                                      const CallContext& context) {
  const ProcessKey key{container_id, ""};
  // The log holds the link, not the pod: readers may keep it longer.
  ContainerLog::Options options;
  options.path = LogPath(container_id);
  options.bounds = environment_.options.container_logs;
  options.threads = &environment_.log_threads;
  if (environment_.options.log_disk != nullptr) options.disk = environment_.options.log_disk;
  options.acknowledge = [guest = guest_, key](StdStream stream, uint64_t offset) {
    guest->AcknowledgeOutput(key, stream, offset);
  };
  options.report = [weak = weak_from_this(), container_id, pod_id = id_](const std::string& what) {
    LogWarning(pod_id, absl::StrCat("container ", container_id, ": ", what));
    if (std::shared_ptr<Pod> self = weak.lock()) {
      self->Tell(v1::EVENT_TYPE_CONTAINER_OUTPUT_LOST, container_id, "", std::nullopt, what);
    }
  };
  // What the guest has of a pod that is only being made was in a checkpoint: there is no log of it here.
  const bool begins = record().under_way().intent() == state::v1::INTENT_CREATE;
  if (known != nullptr) {
    options.stdout_offset = known->stdout_offset;
    options.stderr_offset = known->stderr_offset;
  }
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<ContainerLog> log,
                       ContainerLog::Open(options, /*resume=*/known != nullptr && !begins, context));
  auto process = std::make_shared<ProcessEntry>(key, std::move(log));
  MutexLock lock(&mu_);
  processes_[key] = std::move(process);
  return absl::OkStatus();
}

void Pod::AddExecProcess(const GuestProcess& process) {
  const ProcessKey& key = process.key;
  ExecOutput::Options options;
  options.stdout_offset = process.stdout_offset;
  options.stderr_offset = process.stderr_offset;
  options.limits = {environment_.options.exec_backlog_bytes, environment_.options.slow_reader_patience};
  options.process = absl::StrCat("pod ", id_, ", ", DescribeProcess(key));
  auto output = std::make_shared<ExecOutput>(
      environment_.io, std::move(options),
      [guest = guest_, key](StdStream stream, uint64_t offset) { guest->AcknowledgeOutput(key, stream, offset); });
  auto entry = std::make_shared<ProcessEntry>(key, std::move(output), process.terminal);
  entry->set_guest_pid(process.pid);
  MutexLock lock(&mu_);
  processes_[key] = std::move(entry);
}

std::shared_ptr<ProcessEntry> Pod::FindProcess(const ProcessKey& key) const {
  MutexLock lock(&mu_);
  auto found = processes_.find(key);
  return found == processes_.end() ? nullptr : found->second;
}

void Pod::RemoveProcess(const ProcessKey& key) {
  std::shared_ptr<ProcessEntry> removed;  // Its destruction may close files: outside the mutex.
  {
    MutexLock lock(&mu_);
    auto found = processes_.find(key);
    if (found == processes_.end()) return;
    removed = std::move(found->second);
    processes_.erase(found);
    ended_execs_.erase(std::remove(ended_execs_.begin(), ended_execs_.end(), key), ended_execs_.end());
  }
  // So that nothing is written any more when another takes its place.
  if (removed->log() != nullptr) removed->log()->End();
}

std::vector<std::shared_ptr<ContainerLog>> Pod::Logs(const std::string& container_id) const {
  std::vector<std::shared_ptr<ContainerLog>> logs;
  MutexLock lock(&mu_);
  for (const auto& [key, process] : processes_) {
    if (process->log() != nullptr && (container_id.empty() || key.container_id == container_id)) {
      logs.push_back(process->log());
    }
  }
  return logs;
}

absl::Status Pod::AwaitLogs(const std::string& container_id, const CallContext& context) {
  for (const std::shared_ptr<ContainerLog>& log : Logs(container_id)) {
    Completion<bool> written;
    log->WhenWritten([written] { written.Set(true); });
    VCD_RETURN_IF_ERROR(written
                            .Wait(context, absl::StrCat("container log ", log->path(),
                                                        ": what was printed last is still to be written, and its file "
                                                        "system does not answer"))
                            .status());
  }
  return absl::OkStatus();
}

void Pod::AwaitLogsPatiently(const std::string& container_id, const CallContext& context) {
  const absl::Status written = AwaitLogs(container_id, context.Within(environment_.options.log_patience));
  if (!written.ok()) LogWarning(id_, absl::StrCat(written.message(), "; it is not waited for any longer"));
}

void Pod::DropLog(const std::string& container_id) {
  AwaitLogsPatiently(container_id, {});
  for (const std::shared_ptr<ContainerLog>& log : Logs(container_id)) log->Abandon();
}

void Pod::ForgetDial(const ProcessKey& key) {
  const absl::Status removed = guest_->RemoveProcess(key, absl::Now() + kForgetTime);
  if (removed.ok()) return RemoveProcess(key);
  LogWarning(id_, absl::StrCat("forget ", DescribeProcess(key), ": ", removed.message()));
}

std::vector<std::shared_ptr<ProcessEntry>> Pod::AbandonedDials() const {
  std::vector<std::shared_ptr<ProcessEntry>> dials;
  MutexLock lock(&mu_);
  for (const auto& [key, process] : processes_) {
    if (IsDial(key) && process->abandoned()) dials.push_back(process);
  }
  return dials;
}

void Pod::RemoveProcesses(const std::string& container_id, const absl::StatusOr<v1::ExitStatus>& end) {
  std::vector<std::shared_ptr<ProcessEntry>> removed;
  {
    MutexLock lock(&mu_);
    for (auto process = processes_.begin(); process != processes_.end();) {
      if (process->first.container_id != container_id) {
        ++process;
        continue;
      }
      removed.push_back(std::move(process->second));
      process = processes_.erase(process);
    }
    ended_execs_.erase(std::remove_if(ended_execs_.begin(), ended_execs_.end(),
                                      [&](const ProcessKey& key) { return key.container_id == container_id; }),
                       ended_execs_.end());
  }
  for (const std::shared_ptr<ProcessEntry>& process : removed) process->Finish(end);
}

void Pod::FinishProcesses(const absl::StatusOr<v1::ExitStatus>& end) {
  std::map<ProcessKey, std::shared_ptr<ProcessEntry>> processes;
  {
    MutexLock lock(&mu_);
    processes = processes_;
    for (const auto& [key, process] : processes) {
      if (!key.process_id.empty()) processes_.erase(key);
    }
    ended_execs_.clear();
  }
  for (const auto& [key, process] : processes) process->Finish(end);
}

std::vector<ProcessKey> Pod::EndedExecs(size_t keep) const {
  MutexLock lock(&mu_);
  if (ended_execs_.size() <= keep) return {};
  return std::vector<ProcessKey>(ended_execs_.begin(), ended_execs_.end() - static_cast<std::ptrdiff_t>(keep));
}

std::vector<v1::ExecInfo> Pod::Execs(const std::string& container_id) const {
  std::vector<v1::ExecInfo> execs;
  MutexLock lock(&mu_);
  for (const auto& [key, process] : processes_) {
    if (key.process_id.empty() || (!container_id.empty() && key.container_id != container_id)) continue;
    v1::ExecInfo exec;
    exec.set_container_id(key.container_id);
    exec.set_process_id(key.process_id);
    exec.set_guest_pid(process->guest_pid());
    exec.set_terminal(process->terminal());
    const std::optional<absl::StatusOr<v1::ExitStatus>> end = process->end();
    if (end.has_value() && end->ok()) *exec.mutable_exit_status() = **end;
    execs.push_back(std::move(exec));
  }
  return execs;
}

absl::Status Pod::ProcessNotFound(const ProcessKey& key) const {
  if (recovery() != nullptr) return StillRecovering();
  if (IsDial(key)) {
    return WithDetail(absl::NotFoundError(absl::StrCat("pod ", id_, ": ", DescribeProcess(key),
                                                       " is no more; the pod has been stopped meanwhile")),
                      {v1::ERROR_REASON_PROCESS_NOT_FOUND, {{"pod_id", id_}, {"process_id", key.process_id}}});
  }
  VCD_RETURN_IF_ERROR(ViewContainer(key.container_id).status());
  const std::string what = key.process_id.empty() ? "its first process" : absl::StrCat("process ", key.process_id);
  const state::v1::PodRecord now = record();
  const bool runs =
      now.state() == v1::POD_STATE_READY || now.state() == v1::POD_STATE_RUNNING || now.state() == v1::POD_STATE_PAUSED;
  // What ended with its machine is no riddle.
  const std::string why =
      runs ? "it has not been started, or it ended long ago"
           : absl::StrCat("the pod is ", StateWord(now.state()), now.reason().empty() ? "" : ": ", now.reason());
  return WithDetail(absl::NotFoundError(absl::StrCat("container ", key.container_id, " of pod ", id_, ": ", what,
                                                     " is not there; ", why)),
                    {v1::ERROR_REASON_PROCESS_NOT_FOUND,
                     {{"pod_id", id_}, {"container_id", key.container_id}, {"process_id", key.process_id}}});
}

void Pod::OnOutput(const ProcessKey& process, StdStream stream, uint64_t offset, std::string data) {
  // A process that is not known any more must not hold the guest up.
  if (std::shared_ptr<ProcessEntry> entry = FindProcess(process)) {
    entry->Append(stream, offset, std::move(data));
  } else {
    guest_->AcknowledgeOutput(process, stream, offset + data.size());
  }
}

void Pod::OnProcessExit(const ProcessKey& process, const v1::ExitStatus& status) {
  std::shared_ptr<ProcessEntry> entry = FindProcess(process);
  // A session after a checkpoint tells again of those that have ended.
  if (entry == nullptr || entry->end().has_value()) return;
  entry->Finish(status);
  environment_.work.Post([self = shared_from_this(), entry, status] { self->RecordExit(entry, status); });
}

void Pod::RecordExits() {
  std::map<ProcessKey, std::shared_ptr<ProcessEntry>> processes;
  {
    MutexLock lock(&mu_);
    processes = processes_;
  }
  for (const auto& [key, process] : processes) {
    const std::optional<absl::StatusOr<v1::ExitStatus>> end = process->end();
    if (key.process_id.empty() && end.has_value() && end->ok()) RecordExit(process, **end);
  }
}

void Pod::RecordExit(const std::shared_ptr<ProcessEntry>& entry, const v1::ExitStatus& status) {
  const ProcessKey& process = entry->key();
  if (IsDial(process)) {
    // Otherwise its caller forgets it.
    if (entry->abandoned()) ForgetDial(process);
    return;
  }
  if (!process.process_id.empty()) {
    {
      MutexLock lock(&mu_);
      if (processes_.count(process) != 0) ended_execs_.push_back(process);
    }
    Tell(v1::EVENT_TYPE_PROCESS_EXITED, process.container_id, process.process_id, status);
    return;
  }
  bool changed = false;
  // An operation that ends the container, and waits for that, may be quicker to record it.
  (void)ChangeIf(
      [&](state::v1::PodRecord& record) {
        state::v1::ContainerRecord* container = FindContainer(record, process.container_id);
        changed = container != nullptr && !container->has_exit_status() && FindProcess(process) == entry;
        if (!changed) return false;
        container->set_state(v1::CONTAINER_STATE_STOPPED);
        *container->mutable_exit_status() = status;
        if (status.oom_killed()) container->set_reason("OUT_OF_MEMORY: the guest's kernel ended it for want of memory");
        container->set_guest_pid(0);
        StampNow(container->mutable_finished_at());
        return true;
      },
      /*fact=*/true);
  if (!changed) return;
  LogInfo(id_, absl::StrCat("container ", process.container_id, " ended with status ", status.code()));
  Tell(v1::EVENT_TYPE_CONTAINER_STOPPED, process.container_id, "", status);
}

}  // namespace vcd
