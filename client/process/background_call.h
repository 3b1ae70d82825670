// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_PROCESS_BACKGROUND_CALL_H_
#define VCD_CLIENT_PROCESS_BACKGROUND_CALL_H_

#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "client/daemon/daemon_client.h"
#include "client/posix/event_fd.h"
#include "client/posix/signals.h"

namespace vcd::client {

// A blocking call in a thread of its own, so that its caller can look at signals meanwhile. Cancelled and joined when
// it goes.
class BackgroundCall {
 public:
  using Call = std::function<absl::Status(CallCanceller* canceller)>;

  explicit BackgroundCall(Call call);
  ~BackgroundCall();

  // Readable once the call has ended.
  int done_fd() const { return done_.fd(); }
  void Cancel() { canceller_.Cancel(); }
  // Waits for the end of the call.
  absl::Status Result();

 private:
  CallCanceller canceller_;
  EventFd done_;
  absl::Status result_;
  std::thread thread_;
};

// How a call went that a signal may have cut short.
struct InterruptibleResult {
  absl::Status status;
  int signal = 0;  // The one that cancelled it, or 0.
};

// Makes the call; the first signal cancels it, but not before `ignored_signals` others came.
InterruptibleResult CallInterruptibly(SignalSource* signals, BackgroundCall::Call call, int ignored_signals = 0);

}  // namespace vcd::client

#endif  // VCD_CLIENT_PROCESS_BACKGROUND_CALL_H_
