// SPDX-License-Identifier: Apache-2.0
#include "core/os/program_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace vcd {
namespace {

// Of what a program said, in an error.
constexpr size_t kMaxWordsBytes = 300;
// A killed process is gone in no time, unless the kernel is stuck in it.
constexpr absl::Duration kMaxDying = absl::Seconds(10);
// More than a pipe holds, in pieces.
constexpr int kMaxDrainedPieces = 64;

// A file in memory with the program's input: no pipe, so nobody has to write while the program reads, and one that does
// not read is no error.
absl::StatusOr<UniqueFd> InputFile(const std::string& input) {
  UniqueFd file(memfd_create("vcd-input", MFD_CLOEXEC));
  if (!file.valid()) return PosixError(errno, "memfd_create");
  size_t written = 0;
  while (written < input.size()) {
    const ssize_t size =
        pwrite(file.get(), input.data() + written, input.size() - written, static_cast<off_t>(written));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return PosixError(errno, "write a program's input");
    written += static_cast<size_t>(size);
  }
  return file;
}

// The reading end of a pipe, and what has come out of it.
class Output {
 public:
  Output(size_t max_bytes, bool keep_end) : max_bytes_(max_bytes), keep_end_(keep_end) {}

  // Returns the writing end.
  absl::StatusOr<UniqueFd> Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return PosixError(errno, "pipe");
    read_end_.Reset(ends[0]);
    UniqueFd write_end(ends[1]);
    // Only this end: the program's own is as it expects it.
    if (fcntl(read_end_.get(), F_SETFL, O_NONBLOCK) != 0) return PosixError(errno, "fcntl");
    return write_end;
  }

  // -1, which poll(2) passes over, once all has come.
  int fd() const { return read_end_.get(); }

  // Takes one piece. False when there is none at the moment, or never again.
  bool Read() {
    char piece[16384];
    ssize_t size;
    do {
      size = read(read_end_.get(), piece, sizeof(piece));
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN) return false;
    if (size <= 0) {
      read_end_.Reset();
      return false;
    }
    const size_t room = keep_end_ ? sizeof(piece) : max_bytes_ - text_.size();
    const size_t kept = std::min(static_cast<size_t>(size), room);
    text_.append(piece, kept);
    cut_ = cut_ || kept < static_cast<size_t>(size) || text_.size() > max_bytes_;
    if (text_.size() > max_bytes_) text_.erase(0, text_.size() - max_bytes_);
    return true;
  }

  // Takes what the program has left in the pipe. Ends also when a process that it left behind goes on writing.
  void Drain() {
    for (int i = 0; i < kMaxDrainedPieces && read_end_.valid() && Read(); ++i) {
    }
  }

  bool cut() const { return cut_; }
  std::string& text() { return text_; }

 private:
  const size_t max_bytes_;
  const bool keep_end_;
  UniqueFd read_end_;
  std::string text_;
  bool cut_ = false;
};

// The end of what it said, on one line.
std::string LastWords(Output& output, Output& errors) {
  std::string text = errors.text().empty() ? output.text() : errors.text();
  text = std::string(absl::StripSuffix(text, "\n"));
  if (text.size() > kMaxWordsBytes) text = absl::StrCat("…", text.substr(text.size() - kMaxWordsBytes));
  return text.empty() ? "it said nothing" : absl::StrCat("it said: ", absl::StrReplaceAll(text, {{"\n", "; "}}));
}

int MillisecondsUntil(absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return -1;
  // Rounded up, so that the last turn does not spin; some hours at most, so that it fits.
  const absl::Duration left = std::min(deadline - absl::Now(), absl::Hours(1));
  return static_cast<int>(absl::ToInt64Milliseconds(std::max(left, absl::ZeroDuration()) + absl::Microseconds(999)));
}

// Takes output until the program ends or the context does.
absl::Status Follow(const LaunchedProcess& process, const std::string& step, Output& output, Output& errors,
                    const CallContext& context) {
  const UniqueFd cancelled(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cancelled.valid()) return PosixError(errno, "eventfd");
  const Cancellation::Subscription woken = context.cancellation == nullptr
                                               ? Cancellation::Subscription()
                                               : context.cancellation->Subscribe([fd = cancelled.get()] {
                                                   const uint64_t one = 1;
                                                   (void)!write(fd, &one, sizeof(one));
                                                 });
  while (true) {
    VCD_RETURN_IF_ERROR(context.Check(step));
    pollfd waiting[] = {{process.pidfd.get(), POLLIN, 0},
                        {output.fd(), POLLIN, 0},
                        {errors.fd(), POLLIN, 0},
                        {cancelled.get(), POLLIN, 0}};
    if (poll(waiting, std::size(waiting), MillisecondsUntil(context.deadline)) < 0 && errno != EINTR) {
      return PosixError(errno, "poll");
    }
    if (waiting[1].revents != 0) (void)output.Read();
    if (waiting[2].revents != 0) (void)errors.Read();
    if (waiting[0].revents != 0) {
      output.Drain();
      errors.Drain();
      return absl::OkStatus();
    }
  }
}

// Reaps the child; with `kill_group` its whole group is killed first. Until it is reaped nobody else can have its
// number, neither as process nor as group.
absl::Status Reap(const LaunchedProcess& process, bool kill_group, siginfo_t* info) {
  if (kill_group) {
    (void)kill(-process.identity.pid, SIGKILL);
    pollfd waiting = {process.pidfd.get(), POLLIN, 0};
    const absl::Time deadline = absl::Now() + kMaxDying;
    int ready;
    do {
      ready = poll(&waiting, 1, MillisecondsUntil(deadline));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
      return absl::InternalError(absl::StrCat("process ", process.identity.pid, " survives SIGKILL; see /proc/",
                                              process.identity.pid, "/stack"));
    }
  }
  int result;
  do {
    result = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process.pidfd.get()), info, WEXITED);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? absl::OkStatus() : PosixError(errno, absl::StrCat("wait for process ", process.identity.pid));
}

}  // namespace

std::string ProgramEnd::Description() const {
  if (exited) return absl::StrCat("exited with status ", status);
  return absl::StrCat("killed by signal ", status, " (", strsignal(status), ")");
}

absl::StatusOr<ProgramEnd> RunProgram(const ProgramRun& run, const CallContext& context) {
  const std::string& program =
      run.launch.program.empty() && !run.launch.argv.empty() ? run.launch.argv[0] : run.launch.program;
  const std::string step = absl::StrCat("run ", program);
  VCD_RETURN_IF_ERROR(context.Check(step));
  VCD_ASSIGN_OR_RETURN(const UniqueFd input, InputFile(run.input));
  Output output(run.max_output_bytes, run.keep_end);
  Output errors(run.max_errors_bytes, run.keep_end);
  VCD_ASSIGN_OR_RETURN(UniqueFd output_end, output.Open());
  UniqueFd errors_end;
  if (!run.join_errors) {
    VCD_ASSIGN_OR_RETURN(errors_end, errors.Open());
  }
  LaunchSpec launch = run.launch;
  launch.stdin_fd = input.get();
  launch.stdout_fd = output_end.get();
  launch.stderr_fd = run.join_errors ? output_end.get() : errors_end.get();
  VCD_ASSIGN_OR_RETURN(const LaunchedProcess process, LaunchProcess(launch));
  output_end.Reset();
  errors_end.Reset();

  const absl::Status followed = Follow(process, step, output, errors, context);
  siginfo_t info = {};
  const absl::Status reaped = Reap(process, /*kill_group=*/!followed.ok(), &info);
  if (absl::IsDeadlineExceeded(followed)) {
    return absl::DeadlineExceededError(absl::StrCat(followed.message(), "; ", LastWords(output, errors)));
  }
  VCD_RETURN_IF_ERROR(followed);
  VCD_RETURN_IF_ERROR(reaped);
  ProgramEnd end;
  end.exited = info.si_code == CLD_EXITED;
  end.status = info.si_status;
  end.output = std::move(output.text());
  end.output_cut = output.cut();
  end.errors = std::move(errors.text());
  return end;
}

}  // namespace vcd
