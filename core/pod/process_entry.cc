// SPDX-License-Identifier: Apache-2.0
#include "core/pod/process_entry.h"

#include <utility>

namespace vcd {

// `running` is held while the callback runs, so that the handle's destructor waits for it.
struct ProcessEntry::WaiterState {
  Mutex running;
  ExitCallback callback ABSL_GUARDED_BY(running);
};

class ProcessEntry::Waiter : public PodRuntime::WaitHandle {
 public:
  Waiter(std::shared_ptr<ProcessEntry> process, std::shared_ptr<WaiterState> state)
      : process_(std::move(process)), state_(std::move(state)) {}

  ~Waiter() override {
    {
      MutexLock lock(&process_->mu_);
      process_->waiters_.erase(state_.get());
    }
    MutexLock running(&state_->running);
    state_->callback = nullptr;
  }

 private:
  const std::shared_ptr<ProcessEntry> process_;
  const std::shared_ptr<WaiterState> state_;
};

void ProcessEntry::Finish(absl::StatusOr<v1::ExitStatus> end) {
  std::map<WaiterState*, std::shared_ptr<WaiterState>> waiters;
  {
    MutexLock lock(&mu_);
    if (end_.has_value()) return;
    end_ = end;
    waiters.swap(waiters_);
  }
  source().End();
  for (const auto& [key, state] : waiters) {
    MutexLock running(&state->running);
    if (state->callback != nullptr) state->callback(end);
  }
}

std::optional<absl::StatusOr<v1::ExitStatus>> ProcessEntry::end() const {
  MutexLock lock(&mu_);
  return end_;
}

std::unique_ptr<OutputReader> ProcessEntry::NewReader(OutputStart start) {
  return log_ != nullptr ? log_->NewReader(start) : exec_->NewReader(start);
}

std::unique_ptr<PodRuntime::WaitHandle> ProcessEntry::Wait(ExitCallback callback) {
  auto state = std::make_shared<WaiterState>();
  {
    MutexLock running(&state->running);
    state->callback = callback;
  }
  std::optional<absl::StatusOr<v1::ExitStatus>> ended;
  {
    MutexLock lock(&mu_);
    ended = end_;
    if (!ended.has_value()) waiters_.emplace(state.get(), state);
  }
  if (ended.has_value()) {
    callback(*std::move(ended));
    return nullptr;
  }
  return std::make_unique<Waiter>(shared_from_this(), std::move(state));
}

}  // namespace vcd
