// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/reaper.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace vcd::guest {

Reaper::Reaper(EventLoop* loop, std::function<void(pid_t, int)> reaped) : loop_(loop), reaped_(std::move(reaped)) {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  signals_.Reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  watch_ = loop_->Watch(signals_.get(), EPOLLIN, [this](uint32_t) { Reap(); });
}

Reaper::~Reaper() { loop_->Unwatch(watch_); }

void Reaper::Reap() {
  // One in a turn, for what it left in its pipes is read with it: the signal stays, and the next turn comes here again.
  if (ReapOne()) return;
  // One signal may stand for many children, so it is only read away. Those of meanwhile are looked for once more.
  signalfd_siginfo ignored;
  while (::read(signals_.get(), &ignored, sizeof(ignored)) > 0) {
  }
  while (ReapOne()) {
  }
}

bool Reaper::ReapOne() {
  int status = 0;
  const pid_t pid = ::waitpid(-1, &status, WNOHANG);
  if (pid > 0) reaped_(pid, status);
  return pid > 0;
}

}  // namespace vcd::guest
