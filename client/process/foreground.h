// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_PROCESS_FOREGROUND_H_
#define VCD_CLIENT_PROCESS_FOREGROUND_H_

#include <memory>
#include <optional>
#include <string>

#include "client/invocation.h"
#include "client/posix/signals.h"
#include "client/posix/terminal.h"
#include "client/process/attach_session.h"
#include "client/process/background_call.h"
#include "client/process/detach_keys.h"
#include "proto/vcd/v1/process_service.pb.h"

namespace vcd::client {

// A process of a pod as if it were one of this terminal: its output is ours, ours its input if wanted, and its exit
// status becomes vc's. One thread.
//
// Signals that ask for an end (SIGINT, SIGTERM) go to it once, and the second ends the waiting, as a hang-up does; all
// others go to it each time. With a terminal of its own our keys, Ctrl-C among them, are bytes for it, our window is
// its window, and a signal, which then comes from elsewhere, ends the waiting at once. It does not hear of that signal,
// nor of a hang-up: its terminal is not ours, and stays.
class Foreground {
 public:
  struct Options {
    std::string pod_id;
    std::string container_id;
    std::string process_id;  // Empty: the container's first.
    bool send_input = false;
    bool terminal = false;      // The process has one. `send_input` then makes ours raw.
    DetachKeys detach_keys;     // With `send_input`: leave the process alone, and end.
    bool proxy_signals = true;  // Otherwise signals end the waiting, and the process does not hear of them.
    bool from_start = true;     // Also what it printed before.
    bool redraw = false;        // Makes a program that fills the terminal draw it anew.
    std::string how_to_return;  // For who has detached; see AttachCommandFor.
    // What lets the process run, called when its output is attached; null when it runs already.
    BackgroundCall::Call start;
  };

  // `window` says when the size of our terminal changes; null for a process without one.
  Foreground(Invocation* invocation, SignalSource* signals, SignalSource* window, Options options);

  // Blocks until the process has ended or nobody waits for it any more. Returns the exit status for vc: the command's
  // own; 0 when the keys ended the waiting, 128 + signal when signals did; 141 when nobody reads the output, and then
  // the process was sent SIGPIPE; 125 … 127, with a line on standard error, when it could not run or was lost.
  int Follow();

  // Whether the process is to go on without us.
  bool detached() const { return detached_; }

 private:
  // What each of these returns is the exit status when that is decided.
  std::optional<int> OnSignal(int signal);
  std::optional<int> OnStarted();
  std::optional<int> OnChanged();
  int FollowUntilDecided();
  void BeginRunning();
  int Conclude();
  int Detach();
  // Our terminal is gone, whichever of signal, input and output shows it first.
  int HangUp();
  void OnWindow();
  void Resize(TerminalExtent extent);
  int GiveUp(int signal);

  void Forward(int signal);
  // The same, and waits for the answer, a few seconds at most.
  void ForwardAndWait(int signal);

  Invocation* const invocation_;
  SignalSource* const signals_;
  SignalSource* const window_;
  const Options options_;
  const bool input_is_terminal_;  // Before it could be lost.
  const bool output_is_terminal_;
  std::unique_ptr<RawTerminal> raw_;
  AttachSession session_;
  std::unique_ptr<BackgroundCall> start_;
  std::unique_ptr<BackgroundCall> forward_;
  std::unique_ptr<BackgroundCall> resize_;
  std::optional<TerminalExtent> next_extent_;  // To be told when resize_ is done.
  bool running_ = false;
  int signals_seen_ = 0;
  int pending_signal_ = 0;  // Came before there was a process to take it.
  bool detached_ = false;
};

// The command line that joins a process: "vc attach -c app --process exec-1 web". An empty container is the one that vc
// chooses without -c.
std::string AttachCommandFor(const std::string& pod_id, const std::string& container_id, const std::string& process_id);

}  // namespace vcd::client

#endif  // VCD_CLIENT_PROCESS_FOREGROUND_H_
