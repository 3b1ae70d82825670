// SPDX-License-Identifier: Apache-2.0
#include "client/testing/pty_program.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "gtest/gtest.h"

namespace vcd::client {
namespace {

constexpr std::chrono::seconds kPatience{120};
constexpr int kMomentMs = 10;

using Clock = std::chrono::steady_clock;

}  // namespace

PtyProgram::PtyProgram(const Options& options) {
  winsize size{};
  size.ws_col = options.columns;
  size.ws_row = options.rows;
  int master = -1;
  int slave = -1;
  EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
  master_ = UniqueFd(master);
  slave_ = UniqueFd(slave);
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave, F_SETFD, FD_CLOEXEC);
  ::tcgetattr(slave, &before_);

  std::vector<std::string> words = options.words;
  std::vector<std::string> variables = options.variables;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setsid();
    ::ioctl(slave, TIOCSCTTY, 0);
    for (int fd = 0; fd <= 2; ++fd) ::dup2(slave, fd);
    for (const int signal : options.ignored_signals) ::signal(signal, SIG_IGN);
    ::execve(argv[0], argv.data(), environment.data());
    ::_exit(127);
  }
}

PtyProgram::~PtyProgram() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void PtyProgram::Type(const std::string& keys) {
  EXPECT_EQ(::write(master_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
}

void PtyProgram::Resize(unsigned short columns, unsigned short rows) {
  winsize size{};
  size.ws_col = columns;
  size.ws_row = rows;
  EXPECT_EQ(::ioctl(master_.get(), TIOCSWINSZ, &size), 0);
}

void PtyProgram::Signal(int signal) { ::kill(pid_, signal); }

bool PtyProgram::ReadSome() {
  pollfd readable{master_.get(), POLLIN, 0};
  if (::poll(&readable, 1, kMomentMs) <= 0) return true;
  char buffer[4096];
  const ssize_t got = ::read(master_.get(), buffer, sizeof buffer);
  if (got <= 0) return got < 0 && errno == EINTR;
  screen_.append(buffer, static_cast<size_t>(got));
  return true;
}

bool PtyProgram::WaitForText(const std::string& text) {
  for (const auto deadline = Clock::now() + kPatience; Clock::now() < deadline;) {
    if (screen_.find(text) != std::string::npos) return true;
    if (!ReadSome()) break;
  }
  ADD_FAILURE() << "\"" << text << "\" is not on the screen:\n" << screen_;
  return false;
}

bool PtyProgram::WaitUntilRaw(bool raw) {
  for (const auto deadline = Clock::now() + kPatience; Clock::now() < deadline;) {
    termios now{};
    ::tcgetattr(slave_.get(), &now);
    if (((now.c_lflag & (ICANON | ECHO)) == 0) == raw) return true;
    ReadSome();
  }
  ADD_FAILURE() << "the terminal is not " << (raw ? "raw" : "as usual") << ":\n" << screen_;
  return false;
}

bool PtyProgram::SettingsAreAsBefore() const {
  termios now{};
  ::tcgetattr(slave_.get(), &now);
  return now.c_iflag == before_.c_iflag && now.c_oflag == before_.c_oflag && now.c_cflag == before_.c_cflag &&
         now.c_lflag == before_.c_lflag && ::memcmp(now.c_cc, before_.c_cc, sizeof now.c_cc) == 0;
}

int PtyProgram::Wait() {
  int status = 0;
  for (const auto deadline = Clock::now() + kPatience; Clock::now() < deadline;) {
    ReadSome();
    if (::waitpid(pid_, &status, WNOHANG) != pid_) continue;
    pid_ = -1;
    // What it printed last is there by now.
    pollfd readable{master_.get(), POLLIN, 0};
    while (::poll(&readable, 1, 0) > 0 && (readable.revents & POLLIN) != 0 && ReadSome()) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  ADD_FAILURE() << "the program does not end:\n" << screen_;
  return -1;
}

}  // namespace vcd::client
