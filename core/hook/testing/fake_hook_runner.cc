// SPDX-License-Identifier: Apache-2.0
#include "core/hook/testing/fake_hook_runner.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/completion.h"

namespace vcd {

class FakeHookRunner::Held : public HeldProcess {
 public:
  Held(FakeHookRunner& owner, pid_t pid) : owner_(owner), pid_(pid) {}
  ~Held() override {
    MutexLock lock(&owner_.mu_);
    --owner_.held_;
  }
  pid_t pid() const override { return pid_; }

 private:
  FakeHookRunner& owner_;
  const pid_t pid_;
};

absl::Status FakeHookRunner::Run(const HookCall& call, const CallContext& context) {
  const std::string& path = call.hook.path();
  std::function<void(const HookCall&)> on_run;
  bool hangs = false;
  std::string failure;
  {
    MutexLock lock(&mu_);
    runs_.push_back(absl::StrCat(call.container_id.empty() ? "" : absl::StrCat(call.container_id, ": "),
                                 HookKindName(call.kind), " ", path));
    calls_.insert_or_assign(path, call);
    on_run = on_run_;
    hangs = hanging_.count(path) != 0;
    if (const auto found = failures_.find(path); found != failures_.end()) failure = found->second;
    began_.NotifyAll();
  }
  if (on_run) on_run(call);
  if (hangs) {
    const Completion<bool> never;
    const absl::Status over =
        never.Wait(context.Within(absl::Seconds(call.hook.timeout_seconds())), HookName(call)).status();
    if (!context.Check(HookName(call)).ok()) return over;
    return HookFailure(call, "did not end in time");
  }
  return failure.empty() ? context.Check(HookName(call)) : HookFailure(call, failure);
}

absl::StatusOr<std::unique_ptr<HeldProcess>> FakeHookRunner::Hold(const std::string&, const std::string& netns_path) {
  MutexLock lock(&mu_);
  ++held_;
  held_netns_ = netns_path;
  return std::make_unique<Held>(*this, kFirstHeldPid + ever_held_++);
}

void FakeHookRunner::Fail(const std::string& path, const std::string& problem) {
  MutexLock lock(&mu_);
  failures_[path] = problem;
}

void FakeHookRunner::Hang(const std::string& path) {
  MutexLock lock(&mu_);
  hanging_.insert(path);
}

void FakeHookRunner::OnRun(std::function<void(const HookCall&)> on_run) {
  MutexLock lock(&mu_);
  on_run_ = std::move(on_run);
}

std::vector<std::string> FakeHookRunner::TakeRuns() {
  MutexLock lock(&mu_);
  return std::exchange(runs_, {});
}

HookCall FakeHookRunner::call(const std::string& path) const {
  MutexLock lock(&mu_);
  const auto found = calls_.find(path);
  return found == calls_.end() ? HookCall() : found->second;
}

bool FakeHookRunner::AwaitRun(const std::string& path) const {
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  MutexLock lock(&mu_);
  while (calls_.count(path) == 0 && absl::Now() < deadline) began_.WaitWithDeadline(&mu_, deadline);
  return calls_.count(path) != 0;
}

int FakeHookRunner::held() const {
  MutexLock lock(&mu_);
  return held_;
}

std::string FakeHookRunner::held_netns() const {
  MutexLock lock(&mu_);
  return held_netns_;
}

}  // namespace vcd
