// SPDX-License-Identifier: Apache-2.0
#include "client/process/foreground.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/daemon/rpc_error.h"
#include "client/process/memory_note.h"

namespace vcd::client {
namespace {

// A signal is a short call, and vc must end soon even when the daemon hangs.
constexpr absl::Duration kForwardTimeout = absl::Seconds(5);

// Of the two that may be our terminal.
std::optional<TerminalExtent> OurExtent(const Streams& streams) {
  const auto extent = ExtentOfTerminal(streams.in);
  return extent ? extent : ExtentOfTerminal(streams.out);
}

v1::AttachRequest::Start StartOf(const Foreground::Options& options, const Streams& streams) {
  v1::AttachRequest::Start start;
  start.set_pod_id(options.pod_id);
  start.set_container_id(options.container_id);
  start.set_process_id(options.process_id);
  start.set_from_start(options.from_start);
  start.set_stdin(options.send_input);
  if (const auto extent = OurExtent(streams); options.terminal && extent) {
    start.mutable_terminal_size()->set_columns(extent->columns);
    // A size that is not the last one, which follows: only a change makes a program draw anew.
    start.mutable_terminal_size()->set_rows(options.redraw ? extent->rows % 65535 + 1 : extent->rows);
  }
  return start;
}

int ExitCode(const v1::ExitStatus& status) {
  return status.code() == 0 && status.signal() != 0 ? 128 + status.signal() : status.code();
}

}  // namespace

Foreground::Foreground(Invocation* invocation, SignalSource* signals, SignalSource* window, Options options)
    : invocation_(invocation),
      signals_(signals),
      window_(window),
      options_(std::move(options)),
      input_is_terminal_(::isatty(invocation->environment().streams.in)),
      output_is_terminal_(::isatty(invocation->environment().streams.out)),
      session_(invocation->daemon().NewAttachStream(), StartOf(options_, invocation->environment().streams),
               invocation->environment().streams) {}

int Foreground::Follow() {
  const int exit_status = FollowUntilDecided();
  raw_.reset();
  return exit_status;
}

int Foreground::FollowUntilDecided() {
  while (true) {
    std::optional<int> decided;
    switch (WaitReadable({signals_->fd(), start_ == nullptr || running_ ? -1 : start_->done_fd(), session_.changed_fd(),
                          forward_ == nullptr ? -1 : forward_->done_fd(), window_ == nullptr ? -1 : window_->fd(),
                          resize_ == nullptr ? -1 : resize_->done_fd()})) {
      case 0:
        if (const int signal = signals_->Take(); signal != 0) decided = OnSignal(signal);
        break;
      case 1:
        decided = OnStarted();
        break;
      case 2:
        decided = OnChanged();
        break;
      case 3:
        if (const absl::Status status = forward_->Result(); !status.ok() && !session_.ended()) {
          invocation_->Complain(options_.pod_id, absl::StrCat("signal the process: ", std::string(status.message())));
        }
        forward_.reset();
        break;
      case 4:
        if (window_->Take() != 0) OnWindow();
        break;
      case 5:
        // That it failed would be told into a screen full of something else; the next change tries again.
        resize_.reset();
        if (next_extent_) Resize(*std::exchange(next_extent_, std::nullopt));
        break;
    }
    if (decided) return *decided;
  }
}

std::optional<int> Foreground::OnSignal(int signal) {
  const bool asks_for_end = signal == SIGINT || signal == SIGTERM;
  if (signal == SIGHUP) return HangUp();
  if (!options_.proxy_signals || options_.terminal || (asks_for_end && ++signals_seen_ > 1)) return GiveUp(signal);
  if (running_) {
    Forward(signal);
  } else {
    pending_signal_ = signal;
  }
  if (asks_for_end && ::isatty(invocation_->environment().streams.err)) {
    // The first process of a container takes only signals that it asked for, so this one may change nothing.
    invocation_->Complain(options_.pod_id, absl::StrCat("sent ", SignalName(signal), "; once more to stop waiting"));
  }
  return std::nullopt;
}

std::optional<int> Foreground::OnStarted() {
  if (const absl::Status status = start_->Result(); !status.ok()) {
    session_.Cancel();
    invocation_->Complain(options_.pod_id, status);
    return CommandFailureExitCode(status);
  }
  if (session_.ended()) {
    running_ = true;
    return Conclude();
  }
  BeginRunning();
  return std::nullopt;
}

std::optional<int> Foreground::OnChanged() {
  session_.ClearChanged();
  if (session_.detached()) return Detach();
  if (session_.hung_up()) return HangUp();
  if (session_.ended()) {
    // A quick process ends before the call that let it run; that call says what went wrong, if anything did.
    if (start_ != nullptr && !running_) return std::nullopt;
    return Conclude();
  }
  if (!session_.attached() || running_ || start_ != nullptr) return std::nullopt;
  if (options_.start != nullptr) {
    start_ = std::make_unique<BackgroundCall>(options_.start);
    return std::nullopt;
  }
  BeginRunning();
  return std::nullopt;
}

void Foreground::BeginRunning() {
  running_ = true;
  const bool sends_keys = options_.send_input && options_.terminal && input_is_terminal_;
  if (sends_keys) {
    // Until now our keys were our own, so that Ctrl-C could end the wait for a machine that boots.
    auto raw = RawTerminal::Enter(invocation_->environment().streams.in);
    if (raw.ok()) {
      raw_ = *std::move(raw);
    } else {
      invocation_->Complain(options_.pod_id, raw.status());
    }
  }
  if (options_.send_input) {
    using InputEnd = AttachSession::InputEnd;
    session_.SendInput(raw_ != nullptr ? options_.detach_keys : DetachKeys(),
                       sends_keys ? InputEnd::kIsHangUp : InputEnd::kClosesStdin);
  }
  if (pending_signal_ != 0) Forward(pending_signal_);
  if (options_.terminal && options_.redraw) OnWindow();
}

int Foreground::Conclude() {
  const AttachSession::Outcome outcome = session_.Finish();
  raw_.reset();  // What is said below is for a terminal as it was.
  if (outcome.exit_status) {
    TellOfMemory(invocation_, options_.pod_id, options_.container_id, options_.process_id, *outcome.exit_status);
    return ExitCode(*outcome.exit_status);
  }
  if (outcome.output_errno == EPIPE) {
    // What the process would have had, were it in the pipeline itself.
    ForwardAndWait(SIGPIPE);
    return kOutputClosed;
  }
  if (outcome.output_errno == EIO && output_is_terminal_) return HangUp();
  if (outcome.output_errno != 0) {
    invocation_->Complain(options_.pod_id, absl::StrCat("write standard output: ", strerror(outcome.output_errno)));
    return CommandFailureExitCode(absl::InternalError(""));
  }
  invocation_->Complain(options_.pod_id, outcome.error);
  return CommandFailureExitCode(outcome.error);
}

int Foreground::Detach() {
  detached_ = true;
  session_.Cancel();
  session_.Finish();
  raw_.reset();
  invocation_->Complain(options_.pod_id,
                        absl::StrCat("detached, the process goes on; \"", options_.how_to_return, "\" joins it again"));
  return kSuccess;
}

void Foreground::OnWindow() {
  const auto extent = OurExtent(invocation_->environment().streams);
  if (!extent || !running_) return;
  if (resize_ == nullptr) return Resize(*extent);
  next_extent_ = extent;
}

// Beside the attach, where it would wait behind input that the process does not take.
void Foreground::Resize(TerminalExtent extent) {
  v1::ResizeTerminalRequest request;
  request.set_pod_id(options_.pod_id);
  request.set_container_id(options_.container_id);
  request.set_process_id(options_.process_id);
  request.set_columns(extent.columns);
  request.set_rows(extent.rows);
  resize_ = std::make_unique<BackgroundCall>([this, request](CallCanceller* canceller) {
    v1::ResizeTerminalResponse response;
    return invocation_->daemon().ResizeTerminal(request, &response, {canceller, kForwardTimeout});
  });
}

int Foreground::HangUp() {
  // Nobody could send a second one. Also when the call that starts the process has not answered yet: it may run
  // already.
  const bool tell = options_.proxy_signals && !options_.terminal && (running_ || start_ != nullptr);
  if (tell) ForwardAndWait(SIGHUP);
  return GiveUp(SIGHUP);
}

int Foreground::GiveUp(int signal) {
  // Before anything that could take its time.
  raw_.reset();
  session_.Cancel();
  session_.Finish();
  return 128 + signal;
}

void Foreground::Forward(int signal) {
  v1::SignalRequest request;
  request.set_pod_id(options_.pod_id);
  request.set_container_id(options_.container_id);
  request.set_process_id(options_.process_id);
  request.set_signal(signal);
  forward_ = std::make_unique<BackgroundCall>([this, request](CallCanceller* canceller) {
    v1::SignalResponse response;
    return invocation_->daemon().Signal(request, &response, {canceller, kForwardTimeout});
  });
}

void Foreground::ForwardAndWait(int signal) {
  Forward(signal);
  // Not reported: the process may have ended just now, and vc is about to end anyway.
  (void)forward_->Result();
  forward_.reset();
}

std::string AttachCommandFor(const std::string& pod_id, const std::string& container_id,
                             const std::string& process_id) {
  return absl::StrCat("vc attach ", container_id.empty() ? "" : absl::StrCat("-c ", container_id, " "),
                      process_id.empty() ? "" : absl::StrCat("--process ", process_id, " "), pod_id);
}

}  // namespace vcd::client
