// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/link/link_limits.h"
#include "guest/agent/terminal.h"

namespace vcd::guest {

Process::Process(EventLoop* loop, ProcessName name, LaunchedProcess launched, Listener listener,
                 LaunchListener launch_changed)
    : StreamOwner(loop, std::move(name), launched.pid, std::move(listener)),
      launch_changed_(std::move(launch_changed)),
      pidfd_(std::move(launched.pidfd)),
      status_(std::move(launched.status)),
      go_(std::move(launched.go)),
      interactive_(launched.interactive) {
  MakeStreams(std::move(launched.stdin_pipe), std::move(launched.stdout_pipe), std::move(launched.stderr_pipe),
              kOutputWindow);
  status_watch_ = loop_->Watch(status_.get(), EPOLLIN, [this](uint32_t) { ReadLaunchStatus(); });
}

Process::~Process() { loop_->Unwatch(status_watch_); }

void Process::UseTerminal(UniqueFd master) {
  const auto copy = [&master] { return UniqueFd(::fcntl(master.get(), F_DUPFD_CLOEXEC, 0)); };
  // Made anew, before the host hears of the process.
  MakeStreams(interactive_ ? copy() : UniqueFd(), copy(), UniqueFd(), kOutputWindow);
  slave_.Reset(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  terminal_ = std::move(master);
  has_terminal_ = true;
}

void Process::ReadLaunchStatus() {
  if (!status_.valid()) return;
  const LaunchStatus::Stage before = launch_.stage();
  const bool ended = launch_.ReadFrom(status_.get());
  if (UniqueFd master = launch_.TakeTerminal(); master.valid()) UseTerminal(std::move(master));
  if (ended) {
    loop_->Unwatch(std::exchange(status_watch_, 0));
    status_.Reset();
    go_.Reset();
  }
  if (launch_.stage() != before) launch_changed_(this);
}

bool Process::Go() {
  if (told_to_go_) return false;
  told_to_go_ = true;
  (void)!::write(go_.get(), "g", 1);  // Cannot block: the pipe is empty. A process that is gone tells so by its end.
  return true;
}

Outcome Process::Signal(int signal) {
  if (signal == SIGKILL) MarkToldToDie();
  // pidfd_send_signal, and not kill: the number may be another process's by now.
  if (!ended() && ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) == 0) return Outcome();
  if (ended() || errno == ESRCH) return Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "the process has ended");
  return SystemFailure("send signal " + std::to_string(signal));
}

Outcome Process::ResizeTerminal(const ::vcd::agent::v1::TerminalSize& size) {
  if (ended()) return Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "the process has ended");
  if (!terminal_.valid()) return Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "the process has no terminal");
  return SetTerminalSize(terminal_.get(), size);
}

void Process::OnReaped(int wait_status, bool oom_killed) {
  // What it said of itself before its end comes first: why the launch failed, if it did.
  ReadLaunchStatus();
  wait_status_ = wait_status;
  oom_killed_ = oom_killed;
  stdin_->ReaderEnded();
  stdout_->WriterEnded();
  stderr_->WriterEnded();
  slave_.Reset();
  terminal_.Reset();
  listener_.output_changed(this);
}

std::optional<::vcd::agent::v1::ExitInfo> Process::exit() const {
  if (!ended() || !stdout_->finished() || !stderr_->finished()) return std::nullopt;
  ::vcd::agent::v1::ExitInfo exit;
  if (WIFSIGNALED(*wait_status_)) {
    exit.set_signal(WTERMSIG(*wait_status_));
    exit.set_code(128 + WTERMSIG(*wait_status_));
  } else {
    exit.set_code(WEXITSTATUS(*wait_status_));
  }
  exit.set_oom_killed(oom_killed_);
  return WithEnds(std::move(exit));
}

::vcd::agent::v1::Process Process::Describe() const {
  ::vcd::agent::v1::Process described = StreamOwner::Describe();
  described.set_started(told_to_go_);
  described.set_terminal(has_terminal_);
  return described;
}

}  // namespace vcd::guest
