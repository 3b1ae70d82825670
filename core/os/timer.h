// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_TIMER_H_
#define VCD_CORE_OS_TIMER_H_

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "core/os/io_thread.h"

namespace vcd {

// Calls back once at a time. Move-only, any thread; the IoThread must outlive it. Destroying it cancels.
class Timer {
 public:
  // None: never fires.
  Timer() = default;

  // Runs `callback` on the I/O thread at `when`, or soon when that is past. absl::InfiniteFuture() never comes.
  Timer(IoThread& io, absl::Time when, std::function<void()> callback);

  Timer(Timer&&) = default;
  Timer& operator=(Timer&& other) noexcept;
  ~Timer() { Cancel(); }

  // True when the callback never ran and never will. False when it ran, or runs at this moment: this does not wait for
  // it, so that it may be called with locks held that the callback takes. What the callback uses must bear that.
  bool Cancel();

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_TIMER_H_
