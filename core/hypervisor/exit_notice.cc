// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/exit_notice.h"

#include <optional>
#include <utility>

#include "core/os/mutex.h"

namespace vcd {

struct ExitNotice::State {
  // Held while the callback runs, so that taking it back waits for it. Taken before mu.
  Mutex running_mu;
  Mutex mu;
  std::function<void(const std::string& reason)> callback ABSL_GUARDED_BY(mu);
  std::optional<std::string> reason ABSL_GUARDED_BY(mu);
};

ExitNotice::ExitNotice(IoThread& io) : io_(io), state_(std::make_shared<State>()) {}

ExitNotice::~ExitNotice() { OnExit(nullptr); }

void ExitNotice::OnExit(std::function<void(const std::string& reason)> callback) {
  bool told = false;
  {
    MutexLock lock(&state_->mu);
    state_->callback.swap(callback);
    told = state_->reason.has_value() && state_->callback != nullptr;
  }
  // On the I/O thread no other callback can be running; and if this is called by one, waiting would be for ourselves.
  if (!io_.OnThread()) MutexLock wait(&state_->running_mu);
  if (told) Deliver();
}

void ExitNotice::Tell(const std::string& reason) {
  {
    MutexLock lock(&state_->mu);
    if (state_->reason.has_value()) return;
    state_->reason = reason;
    if (state_->callback == nullptr) return;
  }
  Deliver();
}

void ExitNotice::Deliver() {
  io_.Post([state = state_] {
    MutexLock running(&state->running_mu);
    std::function<void(const std::string& reason)> callback;
    std::string reason;
    {
      MutexLock lock(&state->mu);
      callback.swap(state->callback);
      reason = *state->reason;
    }
    if (callback != nullptr) callback(reason);
  });
}

}  // namespace vcd
