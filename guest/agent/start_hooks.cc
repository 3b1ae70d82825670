// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/start_hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/program.h"

namespace vcd::guest {
namespace {

using Clock = std::chrono::steady_clock;
using ::vcd::agent::v1::Hook;

// Of what a hook said, in a message.
constexpr size_t kMaxWordsBytes = 512;
// More than a pipe holds, in pieces: one that it left behind may go on writing.
constexpr int kMaxDrainedPieces = 64;

constexpr char kPidPlace[] = "{pid}";

// No pipe, so that one that does not read it is no trouble.
OutcomeOr<UniqueFd> StateFile(const std::string& state) {
  UniqueFd file(::memfd_create("hook-state", MFD_CLOEXEC));
  if (!file.valid()) return SystemFailure("make a file for a hook's state");
  size_t written = 0;
  while (written < state.size()) {
    const ssize_t size =
        ::pwrite(file.get(), state.data() + written, state.size() - written, static_cast<off_t>(written));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return SystemFailure("write a hook's state");
    written += static_cast<size_t>(size);
  }
  return file;
}

[[noreturn]] void BecomeHook(const Hook& hook, const Restrictions& restrictions, const UniqueFd& input,
                             const UniqueFd& output) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::dup2(input.get(), STDIN_FILENO);
  ::dup2(output.get(), STDOUT_FILENO);
  ::dup2(output.get(), STDERR_FILENO);
  ::vcd::agent::v1::Command command;
  *command.mutable_args() = hook.args();
  if (command.args().empty()) command.add_args(hook.path());
  ProgramImage program(hook.path(), command, {hook.envs().begin(), hook.envs().end()});
  Outcome failed = ApplySeccompFilter(restrictions);
  if (failed.ok()) failed = program.Execute();
  (void)!::write(STDOUT_FILENO, failed.message().data(), failed.message().size());
  ::_exit(127);
}

// The end of what a hook says.
class LastWords {
 public:
  explicit LastWords(UniqueFd pipe) : pipe_(std::move(pipe)) {}

  int fd() const { return pipe_.get(); }

  // Takes one piece; false when there is none at the moment, or never again.
  bool Read() {
    char piece[4096];
    const ssize_t got = pipe_.valid() ? ::read(pipe_.get(), piece, sizeof(piece)) : 0;
    if (got < 0) return errno == EINTR;
    if (got == 0) {
      pipe_.Reset();
      return false;
    }
    text_.append(piece, static_cast<size_t>(got));
    if (text_.size() > kMaxWordsBytes) text_.erase(0, text_.size() - kMaxWordsBytes);
    return true;
  }

  // What is in the pipe once the hook has ended.
  std::string Take() {
    for (int i = 0; i < kMaxDrainedPieces && Read(); ++i) {
    }
    while (!text_.empty() && text_.back() == '\n') text_.pop_back();
    return text_.empty() ? " and said nothing" : "; it said: " + text_;
  }

 private:
  UniqueFd pipe_;
  std::string text_;
};

// Takes output until the process ends: true, or its time does.
bool Follow(int pidfd, LastWords* words, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting[] = {{pidfd, POLLIN, 0}, {words->fd(), POLLIN, 0}};
    if (::poll(waiting, 2, static_cast<int>(left.count())) < 0) continue;
    if (waiting[1].revents != 0) (void)words->Read();
    if (waiting[0].revents != 0) return true;
  }
}

Outcome RunHook(const Hook& hook, const std::string& state, const Restrictions& restrictions) {
  OutcomeOr<UniqueFd> input = StateFile(state);
  if (!input.ok()) return input.outcome();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemFailure("make a pipe");
  LastWords words{UniqueFd(ends[0])};
  UniqueFd output(ends[1]);
  ::fcntl(words.fd(), F_SETFL, O_NONBLOCK);

  const pid_t pid = ::fork();
  if (pid == 0) BecomeHook(hook, restrictions, *input, output);
  if (pid < 0) return SystemFailure("make a process for a hook");
  output.Reset();
  // Until it is waited for, nobody else has its number.
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const bool in_time =
      pidfd.valid() && Follow(pidfd.get(), &words, Clock::now() + std::chrono::seconds(hook.timeout_seconds()));
  if (!in_time) {
    // It may not have made its group yet.
    ::kill(pid, SIGKILL);
    ::kill(-pid, SIGKILL);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  // Orphans of its that have ended: a program that did not start them does not expect them.
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) return Outcome();
  std::string end;
  if (!pidfd.valid()) {
    end = "could not be watched";
  } else if (!in_time) {
    end = "did not end within " + std::to_string(hook.timeout_seconds()) + "s, its limit, and was killed";
  } else if (WIFEXITED(status)) {
    end = "exited with status " + std::to_string(WEXITSTATUS(status));
  } else {
    end = std::string("killed by signal ") + std::to_string(WTERMSIG(status));
  }
  return Outcome(ErrorCode::ERROR_CODE_HOOK_FAILED,
                 "hook start_container (" + hook.path() + "): " + end + words.Take());
}

}  // namespace

Outcome RunStartHooks(const ::vcd::agent::v1::LinuxSettings& settings, const Restrictions& restrictions) {
  std::string state = settings.hook_state();
  const size_t place = state.find(kPidPlace);
  if (place != std::string::npos) state.replace(place, std::strlen(kPidPlace), std::to_string(::getpid()));
  for (const Hook& hook : settings.start_hooks()) {
    if (Outcome done = RunHook(hook, state, restrictions); !done.ok()) return done;
  }
  return Outcome();
}

}  // namespace vcd::guest
