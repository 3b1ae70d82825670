// SPDX-License-Identifier: Apache-2.0
#include "core/os/timer.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "core/os/mutex.h"

namespace vcd {

class Timer::State : public std::enable_shared_from_this<Timer::State> {
 public:
  State(IoThread& io, absl::Time when, std::function<void()> callback)
      : io_(io), when_(when), callback_(std::move(callback)) {}

  // On the I/O thread, which is the only one to touch the asio timer. Only the pending handler owns that timer, so that
  // it goes with the io_context at the latest.
  void Arm(std::shared_ptr<asio::steady_timer> timer) {
    {
      MutexLock lock(&mu_);
      if (callback_ == nullptr) return;
    }
    timer_ = timer;
    // An hour at most, so that far times do not overflow, and a clock that was set is noticed.
    const absl::Duration left = std::clamp(when_ - absl::Now(), absl::ZeroDuration(), absl::Hours(1));
    timer->expires_after(absl::ToChronoNanoseconds(left));
    timer->async_wait([self = shared_from_this(), timer](const asio::error_code&) { self->Fire(timer); });
  }

  bool Cancel() {
    {
      MutexLock lock(&mu_);
      if (callback_ == nullptr) return false;
      callback_ = nullptr;
    }
    // The wait ends now rather than when it is due, and with it what it keeps alive.
    io_.Post([self = shared_from_this()] {
      if (std::shared_ptr<asio::steady_timer> timer = self->timer_.lock()) timer->cancel();
    });
    return true;
  }

 private:
  void Fire(const std::shared_ptr<asio::steady_timer>& timer) {
    if (absl::Now() < when_) return Arm(timer);
    std::function<void()> callback;
    {
      MutexLock lock(&mu_);
      callback.swap(callback_);
    }
    if (callback != nullptr) callback();
  }

  IoThread& io_;
  const absl::Time when_;
  std::weak_ptr<asio::steady_timer> timer_;  // I/O thread only.
  Mutex mu_;
  std::function<void()> callback_ ABSL_GUARDED_BY(mu_);
};

Timer::Timer(IoThread& io, absl::Time when, std::function<void()> callback) {
  if (when == absl::InfiniteFuture()) return;
  state_ = std::make_shared<State>(io, when, std::move(callback));
  io.Post([state = state_, &io] { state->Arm(std::make_shared<asio::steady_timer>(io.context())); });
}

Timer& Timer::operator=(Timer&& other) noexcept {
  if (this != &other) {
    Cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

bool Timer::Cancel() {
  if (state_ == nullptr) return false;
  return std::exchange(state_, nullptr)->Cancel();
}

}  // namespace vcd
