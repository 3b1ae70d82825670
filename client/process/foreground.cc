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

namespace vcd::client {
namespace {

// A signal is a short call, and vc must end soon even when the daemon hangs.
constexpr absl::Duration kForwardTimeout = absl::Seconds(5);

v1::AttachRequest::Start StartOf(const Foreground::Options& options) {
  v1::AttachRequest::Start start;
  start.set_pod_id(options.pod_id);
  start.set_container_id(options.container_id);
  start.set_process_id(options.process_id);
  start.set_from_start(true);
  return start;
}

int ExitCode(const v1::ExitStatus& status) {
  return status.code() == 0 && status.signal() != 0 ? 128 + status.signal() : status.code();
}

}  // namespace

Foreground::Foreground(Invocation* invocation, SignalSource* signals, Options options)
    : invocation_(invocation),
      signals_(signals),
      options_(std::move(options)),
      session_(invocation->daemon().NewAttachStream(), StartOf(options_), invocation->environment().streams) {}

int Foreground::Follow() {
  while (true) {
    std::optional<int> decided;
    switch (WaitReadable({signals_->fd(), start_ == nullptr || running_ ? -1 : start_->done_fd(), session_.changed_fd(),
                          forward_ == nullptr ? -1 : forward_->done_fd()})) {
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
    }
    if (decided) return *decided;
  }
}

std::optional<int> Foreground::OnSignal(int signal) {
  if (++signals_seen_ > 1) return GiveUp(signal);
  if (signal == SIGHUP) {
    // The terminal is gone: nobody could send a second one.
    // Also when the call that starts the process has not answered yet: it may run already.
    if (running_ || start_ != nullptr) ForwardAndWait(signal);
    return GiveUp(signal);
  }
  if (running_) {
    Forward(signal);
  } else {
    pending_signal_ = signal;
  }
  if (::isatty(invocation_->environment().streams.err)) {
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
  running_ = true;
  if (session_.ended()) return Conclude();
  if (options_.send_input) session_.SendInput();
  if (pending_signal_ != 0) Forward(pending_signal_);
  return std::nullopt;
}

std::optional<int> Foreground::OnChanged() {
  session_.ClearChanged();
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
  running_ = true;
  if (options_.send_input) session_.SendInput();
  if (pending_signal_ != 0) Forward(pending_signal_);
  return std::nullopt;
}

int Foreground::Conclude() {
  const AttachSession::Outcome outcome = session_.Finish();
  if (outcome.exit_status) return ExitCode(*outcome.exit_status);
  gave_up_ = true;
  if (outcome.output_errno == EPIPE) {
    // What the process would have had, were it in the pipeline itself.
    ForwardAndWait(SIGPIPE);
    return kOutputClosed;
  }
  if (outcome.output_errno != 0) {
    invocation_->Complain(options_.pod_id, absl::StrCat("write standard output: ", strerror(outcome.output_errno)));
    return CommandFailureExitCode(absl::InternalError(""));
  }
  invocation_->Complain(options_.pod_id, outcome.error);
  return CommandFailureExitCode(outcome.error);
}

int Foreground::GiveUp(int signal) {
  gave_up_ = true;
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

}  // namespace vcd::client
