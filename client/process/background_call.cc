// SPDX-License-Identifier: Apache-2.0
#include "client/process/background_call.h"

#include <utility>

namespace vcd::client {

BackgroundCall::BackgroundCall(Call call)
    : thread_([this, call = std::move(call)] {
        result_ = call(&canceller_);
        done_.Set();
      }) {}

BackgroundCall::~BackgroundCall() {
  Cancel();
  if (thread_.joinable()) thread_.join();
}

absl::Status BackgroundCall::Result() {
  if (thread_.joinable()) thread_.join();
  return result_;
}

InterruptibleResult CallInterruptibly(SignalSource* signals, BackgroundCall::Call call, int ignored_signals) {
  InterruptibleResult result;
  BackgroundCall background(std::move(call));
  while (WaitReadable({background.done_fd(), signals->fd()}) != 0) {
    const int signal = signals->Take();
    if (signal == 0 || ignored_signals-- > 0) continue;
    result.signal = signal;
    background.Cancel();
  }
  result.status = background.Result();
  return result;
}

}  // namespace vcd::client
