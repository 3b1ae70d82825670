// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_PROCESS_FOREGROUND_H_
#define VCD_CLIENT_PROCESS_FOREGROUND_H_

#include <memory>
#include <optional>
#include <string>

#include "client/invocation.h"
#include "client/posix/signals.h"
#include "client/process/attach_session.h"
#include "client/process/background_call.h"
#include "proto/vcd/v1/process_service.pb.h"

namespace vcd::client {

// A process of a pod as if it were one of this terminal: its output is ours, ours its input if wanted, its exit status
// becomes vc's, and the first signal to vc goes to it. The second, or a hang-up, ends the waiting. One thread.
class Foreground {
 public:
  struct Options {
    std::string pod_id;
    std::string container_id;
    std::string process_id;  // Empty: the container's first.
    bool send_input = false;
    // What lets the process run, called when its output is attached; null when it runs already.
    BackgroundCall::Call start;
  };

  Foreground(Invocation* invocation, SignalSource* signals, Options options);

  // Blocks until the process has ended or nobody waits for it any more. Returns the exit status for vc: the command's
  // own; 128 + signal when signals ended the waiting; 141 when nobody reads the output, and then the process was sent
  // SIGPIPE; 125 … 127, with a line on standard error, when it could not run or was lost.
  int Follow();

  // Whether the process may still run, because Follow gave up.
  bool gave_up() const { return gave_up_; }

 private:
  // What each of these returns is the exit status when that is decided.
  std::optional<int> OnSignal(int signal);
  std::optional<int> OnStarted();
  std::optional<int> OnChanged();
  int Conclude();
  int GiveUp(int signal);

  void Forward(int signal);
  // The same, and waits for the answer, a few seconds at most.
  void ForwardAndWait(int signal);

  Invocation* const invocation_;
  SignalSource* const signals_;
  const Options options_;
  AttachSession session_;
  std::unique_ptr<BackgroundCall> start_;
  std::unique_ptr<BackgroundCall> forward_;
  bool running_ = false;
  int signals_seen_ = 0;
  int pending_signal_ = 0;  // Came before there was a process to take it.
  bool gave_up_ = false;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_PROCESS_FOREGROUND_H_
