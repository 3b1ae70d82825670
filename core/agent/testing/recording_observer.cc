// SPDX-License-Identifier: Apache-2.0
#include "core/agent/testing/recording_observer.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"

namespace vcd {

namespace {

// As long as anything takes on the busiest machine.
constexpr absl::Duration kPatience = absl::Minutes(2);

}  // namespace

void RecordingObserver::AcknowledgeTo(GuestSession* session) {
  MutexLock lock(&mu_);
  session_ = session;
  if (session == nullptr) return;
  for (const auto& [key, stream] : streams_) session->AcknowledgeOutput(key.first, key.second, stream.end());
}

std::string RecordingObserver::Output(const ProcessKey& process, StdStream stream) const {
  MutexLock lock(&mu_);
  const auto found = streams_.find({process, stream});
  return found == streams_.end() ? "" : found->second.data;
}

std::optional<v1::ExitStatus> RecordingObserver::Exit(const ProcessKey& process) const {
  MutexLock lock(&mu_);
  const auto found = exits_.find(process);
  if (found == exits_.end()) return std::nullopt;
  return found->second;
}

std::string RecordingObserver::complaints() const {
  MutexLock lock(&mu_);
  return complaints_;
}

bool RecordingObserver::WaitForOutput(const ProcessKey& process, StdStream stream, size_t bytes) {
  const absl::Time deadline = absl::Now() + kPatience;
  MutexLock lock(&mu_);
  while (streams_[{process, stream}].data.size() < bytes) {
    if (changed_.WaitWithDeadline(&mu_, deadline)) return false;
  }
  return true;
}

std::optional<v1::ExitStatus> RecordingObserver::WaitForExit(const ProcessKey& process) {
  const absl::Time deadline = absl::Now() + kPatience;
  MutexLock lock(&mu_);
  while (exits_.count(process) == 0) {
    if (changed_.WaitWithDeadline(&mu_, deadline)) return std::nullopt;
  }
  return exits_[process];
}

std::optional<absl::Status> RecordingObserver::WaitForLoss() {
  const absl::Time deadline = absl::Now() + kPatience;
  MutexLock lock(&mu_);
  while (!lost_.has_value()) {
    if (changed_.WaitWithDeadline(&mu_, deadline)) return std::nullopt;
  }
  return lost_;
}

uint64_t RecordingObserver::WaitForOutOfMemory(const std::string& container_id) {
  const absl::Time deadline = absl::Now() + kPatience;
  MutexLock lock(&mu_);
  while (oom_kills_.count(container_id) == 0) {
    if (changed_.WaitWithDeadline(&mu_, deadline)) return 0;
  }
  return oom_kills_[container_id];
}

void RecordingObserver::OnOutput(const ProcessKey& process, StdStream which, uint64_t offset, std::string data) {
  MutexLock lock(&mu_);
  const std::string name = DescribeProcess(process);
  if (lost_.has_value()) absl::StrAppend(&complaints_, name, ": output after the guest was lost\n");
  if (exits_.count(process) != 0) absl::StrAppend(&complaints_, name, ": output after its exit\n");
  Stream& stream = streams_[{process, which}];
  if (stream.data.empty()) stream.begin = offset;
  if (offset > stream.end() || offset < stream.begin) {
    absl::StrAppend(&complaints_, name, ": output at ", offset, " after ", stream.end(), "\n");
  } else if (offset + data.size() > stream.end()) {
    stream.data += data.substr(stream.end() - offset);
  }
  if (session_ != nullptr) session_->AcknowledgeOutput(process, which, stream.end());
  changed_.NotifyAll();
}

void RecordingObserver::OnProcessExit(const ProcessKey& process, const v1::ExitStatus& status) {
  MutexLock lock(&mu_);
  if (lost_.has_value()) absl::StrAppend(&complaints_, DescribeProcess(process), ": exit after the guest was lost\n");
  if (!exits_.emplace(process, status).second) {
    absl::StrAppend(&complaints_, DescribeProcess(process), ": a second exit\n");
  }
  changed_.NotifyAll();
}

void RecordingObserver::OnOutOfMemory(const std::string& container_id, uint64_t kills) {
  MutexLock lock(&mu_);
  if (lost_.has_value()) absl::StrAppend(&complaints_, "out of memory after the guest was lost\n");
  if (kills <= oom_kills_[container_id]) absl::StrAppend(&complaints_, "a count of kills that did not grow\n");
  oom_kills_[container_id] = kills;
  changed_.NotifyAll();
}

void RecordingObserver::OnGuestLost(const absl::Status& why) {
  MutexLock lock(&mu_);
  if (lost_.has_value()) absl::StrAppend(&complaints_, "the guest was lost twice\n");
  lost_ = why;
  changed_.NotifyAll();
}

}  // namespace vcd
