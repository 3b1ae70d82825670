// SPDX-License-Identifier: Apache-2.0
#include "test/link/output_collector.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"

namespace vcd {

namespace {

constexpr absl::Duration kPatience = absl::Minutes(1);

}  // namespace

void OutputCollector::Begin(GuestSession* session, bool acknowledge) {
  MutexLock lock(&mu_);
  session_ = session;
  acknowledge_ = acknowledge;
  ends_.clear();
  lost_ = absl::OkStatus();
}

void OutputCollector::AcknowledgeAll() {
  MutexLock lock(&mu_);
  acknowledge_ = true;
  for (const auto& [key, data] : output_) session_->AcknowledgeOutput(key.first, key.second, data.size());
}

std::string OutputCollector::Output(const ProcessKey& process, StdStream stream) const {
  MutexLock lock(&mu_);
  const auto found = output_.find({process, stream});
  return found == output_.end() ? "" : found->second;
}

int OutputCollector::Exits(const ProcessKey& process) const {
  MutexLock lock(&mu_);
  const auto found = ends_.find(process);
  return found == ends_.end() ? 0 : found->second.told;
}

std::string OutputCollector::complaints() const {
  MutexLock lock(&mu_);
  return complaints_;
}

bool OutputCollector::WaitForOutput(const ProcessKey& process, size_t bytes) {
  const absl::Time deadline = absl::Now() + kPatience;
  MutexLock lock(&mu_);
  while (output_[{process, StdStream::kStdout}].size() < bytes) {
    if (!lost_.ok() || changed_.WaitWithDeadline(&mu_, deadline)) return false;
  }
  return true;
}

std::optional<v1::ExitStatus> OutputCollector::WaitForExit(const ProcessKey& process) {
  const absl::Time deadline = absl::Now() + kPatience;
  MutexLock lock(&mu_);
  while (ends_.count(process) == 0) {
    if (!lost_.ok() || changed_.WaitWithDeadline(&mu_, deadline)) return std::nullopt;
  }
  return ends_[process].status;
}

absl::Status OutputCollector::WaitForLoss() {
  const absl::Time deadline = absl::Now() + kPatience;
  MutexLock lock(&mu_);
  while (lost_.ok() && !changed_.WaitWithDeadline(&mu_, deadline)) {
  }
  return lost_;
}

void OutputCollector::OnOutput(const ProcessKey& process, StdStream stream, uint64_t offset, std::string data) {
  MutexLock lock(&mu_);
  std::string& known = output_[{process, stream}];
  if (ends_.count(process) != 0) absl::StrAppend(&complaints_, DescribeProcess(process), ": output after its end\n");
  if (offset > known.size()) {
    absl::StrAppend(&complaints_, DescribeProcess(process), ": ", known.size(), " … ", offset, " is missing\n");
    return;
  }
  const size_t again = std::min<size_t>(known.size() - offset, data.size());
  if (known.compare(offset, again, data, 0, again) != 0) {
    absl::StrAppend(&complaints_, DescribeProcess(process), ": other bytes at ", offset, " than before\n");
  }
  known.append(data, again);
  if (acknowledge_) session_->AcknowledgeOutput(process, stream, known.size());
  changed_.NotifyAll();
}

void OutputCollector::OnProcessExit(const ProcessKey& process, const v1::ExitStatus& status) {
  MutexLock lock(&mu_);
  ends_[process].status = status;
  ++ends_[process].told;
  changed_.NotifyAll();
}

void OutputCollector::OnGuestLost(const absl::Status& why) {
  MutexLock lock(&mu_);
  lost_ = why;
  changed_.NotifyAll();
}

}  // namespace vcd
