// SPDX-License-Identifier: Apache-2.0
#include "core/os/testing/call_script.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/completion.h"

namespace vcd {

void CallScript::FailNth(const std::string& step, int n, absl::Status error) {
  MutexLock lock(&mu_);
  faults_.push_back({step, n - 1, std::move(error)});
}

void CallScript::HangNth(const std::string& step, int n) {
  MutexLock lock(&mu_);
  faults_.push_back({step, n - 1, std::nullopt});
}

void CallScript::ForgetFaults() {
  MutexLock lock(&mu_);
  faults_.clear();
}

bool CallScript::WaitUntilHanging(const std::string& step) {
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  MutexLock lock(&mu_);
  while (hanging_[step] == 0) {
    if (changed_.WaitWithDeadline(&mu_, deadline)) return false;
  }
  return true;
}

std::vector<std::string> CallScript::calls() const {
  MutexLock lock(&mu_);
  return calls_;
}

std::optional<CallScript::Fault> CallScript::TakeFault(const std::string& step) {
  const auto due = std::find_if(faults_.begin(), faults_.end(),
                                [&step](const Fault& fault) { return fault.step == step && fault.calls_before <= 0; });
  std::optional<Fault> taken;
  if (due != faults_.end()) {
    taken = std::move(*due);
    faults_.erase(due);
  }
  for (Fault& fault : faults_) {
    if (fault.step == step) --fault.calls_before;
  }
  return taken;
}

absl::Status CallScript::Enter(const std::string& step, const std::string& what,
                               const std::function<absl::Status()>& hang) {
  {
    MutexLock lock(&mu_);
    calls_.push_back(what.empty() ? step : absl::StrCat(step, " ", what));
    const std::optional<Fault> fault = TakeFault(step);
    if (!fault.has_value()) return absl::OkStatus();
    if (fault->error.has_value()) return *fault->error;
    ++hanging_[step];
    changed_.NotifyAll();
  }
  absl::Status end = hang();
  MutexLock lock(&mu_);
  --hanging_[step];
  return end;
}

absl::Status CallScript::Enter(const std::string& step, const std::string& what, const CallContext& context) {
  return Enter(step, what, [&step, &context] { return Completion<bool>().Wait(context, step).status(); });
}

}  // namespace vcd
