// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

// Two ends of a pipe; the child's end is the one that is inherited by dup2.
void MakePipe(UniqueFd* read_end, UniqueFd* write_end) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0) << strerror(errno);
  read_end->Reset(fds[0]);
  write_end->Reset(fds[1]);
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

int PollTimeout(absl::Time deadline) {
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1000 * 1000));
}

// False when the other end is closed.
bool ReadSome(int fd, std::string* to) {
  char buffer[65536];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) return false;
  to->append(buffer, static_cast<size_t>(n));
  return true;
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const ProgramResult& result) {
  constexpr size_t kShownBytes = 4096;
  return stream << "exit code " << result.exit_code << ", stdout \"" << result.out.substr(0, kShownBytes)
                << "\", stderr \"" << result.err.substr(0, kShownBytes) << "\"";
}

std::vector<std::string> SanitizerOptions() {
  std::vector<std::string> options;
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = ::getenv(name)) options.push_back(absl::StrCat(name, "=", value));
  }
  return options;
}

Program::Program(std::vector<std::string> argv, std::vector<std::string> env) : name_(argv[0]) {
  for (std::string& option : SanitizerOptions()) env.push_back(std::move(option));
  UniqueFd child_in, child_out, child_err;
  MakePipe(&child_in, &in_);
  MakePipe(&out_, &child_out);
  MakePipe(&err_, &child_err);
  // Only our end: the child's shares no flags with it.
  ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, child_in.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, child_out.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, child_err.get(), 2);
  const int error =
      ::posix_spawn(&pid_, argv[0].c_str(), &actions, nullptr, Pointers(argv).data(), Pointers(env).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    ADD_FAILURE() << name_ << ": " << strerror(error);
    pid_ = -1;
    reaped_ = true;
    return;
  }
  pidfd_.Reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  EXPECT_TRUE(pidfd_.valid()) << strerror(errno);
}

Program::~Program() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Program::Signal(int signal) {
  if (!reaped_) ::kill(pid_, signal);
}

bool Program::WaitForOutput(const std::string& text, absl::Duration timeout) {
  return Pump(text, absl::Now() + timeout);
}

ProgramResult Program::Finish(const std::string& input, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  input_ = input;
  finishing_ = true;
  if (input_.empty()) in_.Reset();
  if (!Pump("", deadline)) {
    ADD_FAILURE() << name_ << " has not ended after " << absl::FormatDuration(timeout) << "; it printed:\n"
                  << result_.out << result_.err;
    Signal(SIGKILL);
  }
  Reap(absl::Now() + absl::Seconds(10));
  return result_;
}

bool Program::Pump(const std::string& text, absl::Time deadline) {
  while (text.empty() || result_.out.find(text) == std::string::npos) {
    const bool output_ended = !out_.valid() && !err_.valid();
    if (output_ended || (!text.empty() && !out_.valid())) return text.empty();
    if (!PollOnce(deadline)) return false;
  }
  return true;
}

bool Program::PollOnce(absl::Time deadline) {
  pollfd fds[3] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}, {finishing_ ? in_.get() : -1, POLLOUT, 0}};
  const int ready = ::poll(fds, 3, PollTimeout(deadline));
  if (ready < 0 && errno == EINTR) return true;
  if (ready <= 0) return false;
  if (fds[0].revents != 0 && !ReadSome(out_.get(), &result_.out)) out_.Reset();
  if (fds[1].revents != 0 && !ReadSome(err_.get(), &result_.err)) err_.Reset();
  if (fds[2].revents != 0) WriteInput();
  return true;
}

void Program::WriteInput() {
  const ssize_t n = ::write(in_.get(), input_.data(), input_.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) input_.erase(0, static_cast<size_t>(n));
  // A program need not read all of its input.
  if (n < 0 || input_.empty()) in_.Reset();
}

void Program::Reap(absl::Time deadline) {
  if (reaped_) return;
  pollfd fd = {pidfd_.get(), POLLIN, 0};
  if (::poll(&fd, 1, PollTimeout(deadline)) <= 0) {
    ADD_FAILURE() << name_ << " closed its output and does not end";
    Signal(SIGKILL);
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  reaped_ = true;
  result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

ProgramResult RunProgram(std::vector<std::string> argv, std::vector<std::string> env) {
  return Program(std::move(argv), std::move(env)).Finish();
}

}  // namespace vcd
