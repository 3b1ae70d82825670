// SPDX-License-Identifier: Apache-2.0
#include "core/os/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/os/proc_file.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// State letter and start time of /proc/<pid>/stat. The name in parentheses may hold anything, so fields are counted
// from the last closing one.
bool ReadStat(pid_t pid, char* state, uint64_t* start_time_ticks) {
  std::string stat;
  if (!ReadProcFile(absl::StrCat("/proc/", pid, "/stat"), &stat)) return false;
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(name_end + 2), ' ');
  constexpr size_t kStateIndex = 0;       // Field 3.
  constexpr size_t kStartTimeIndex = 19;  // Field 22.
  if (fields.size() <= kStartTimeIndex || fields[kStateIndex].empty()) return false;
  *state = fields[kStateIndex][0];
  return absl::SimpleAtoi(fields[kStartTimeIndex], start_time_ticks);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What the child does between fork and exec: only async-signal-safe calls. All memory was made before.
struct ChildPlan {
  const char* program;
  char* const* argv;
  char* const* env;
  const std::pair<int, int>* descriptors;
  size_t descriptor_count;
  int* scratch;  // As many as descriptors: their copies above every wanted number.
  int highest_target;
  int stdin_fd;
  int stdout_fd;
  int stderr_fd;
  int error_fd;
  const LaunchSpec* confinement;
};

// Joins control groups, enters and makes namespaces, gives up what the program shall not have. False with errno.
bool Confine(const LaunchSpec& spec) {
  for (const int fd : spec.cgroup_fds) {
    // 0 is the writer itself.
    if (write(fd, "0", 1) != 1) return false;
  }
  for (const int fd : spec.namespace_fds) {
    if (setns(fd, 0) != 0) return false;
  }
  if (spec.unshare_flags != 0 && unshare(spec.unshare_flags) != 0) return false;
  if (!spec.mounts.empty() && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  for (const auto& [mount, directory] : spec.mounts) {
    if (move_mount(mount, "", AT_FDCWD, directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) return false;
  }
  for (const auto& [resource, most] : spec.limits) {
    const rlimit limit = {most, most};
    if (setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return false;
  }
  if (spec.user_id.has_value()) {
    // The raw calls: libc's would wake all threads, of which the child has none.
    const uid_t id = *spec.user_id;
    if (syscall(SYS_setgroups, spec.groups.size(), spec.groups.data()) != 0 ||
        syscall(SYS_setresgid, id, id, id) != 0 || syscall(SYS_setresuid, id, id, id) != 0) {
      return false;
    }
  }
  return !spec.no_new_privileges || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

[[noreturn]] void FailChild(int error_fd) {
  const int error = errno;
  (void)!write(error_fd, &error, sizeof(error));
  _exit(127);
}

[[noreturn]] void RunChild(const ChildPlan& plan) {
  setsid();
  sigset_t none;
  sigemptyset(&none);
  struct sigaction default_action = {};
  default_action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < 65; ++signal) sigaction(signal, &default_action, nullptr);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  if (!Confine(*plan.confinement)) FailChild(plan.error_fd);

  // Everything is first copied above all targets, so that no dup2 overwrites a source still to be used.
  const int floor = plan.highest_target + 1;
  const int error_fd = fcntl(plan.error_fd, F_DUPFD_CLOEXEC, floor);
  if (error_fd < 0) FailChild(plan.error_fd);
  const int in_fd = fcntl(plan.stdin_fd, F_DUPFD_CLOEXEC, floor);
  const int out_fd = fcntl(plan.stdout_fd, F_DUPFD_CLOEXEC, floor);
  const int err_fd = fcntl(plan.stderr_fd, F_DUPFD_CLOEXEC, floor);
  if (in_fd < 0 || out_fd < 0 || err_fd < 0) FailChild(error_fd);
  for (size_t i = 0; i < plan.descriptor_count; ++i) {
    plan.scratch[i] = fcntl(plan.descriptors[i].first, F_DUPFD_CLOEXEC, floor);
    if (plan.scratch[i] < 0) FailChild(error_fd);
  }
  // What this process itself had open below must not stay where a hole is.
  if (syscall(SYS_close_range, 0U, static_cast<unsigned>(plan.highest_target), 0U) != 0) FailChild(error_fd);
  if (dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0) FailChild(error_fd);
  for (size_t i = 0; i < plan.descriptor_count; ++i) {
    if (dup2(plan.scratch[i], plan.descriptors[i].second) < 0) FailChild(error_fd);
  }
  if (syscall(SYS_close_range, static_cast<unsigned>(floor), ~0U, CLOSE_RANGE_CLOEXEC) != 0) FailChild(error_fd);
  execve(plan.program, plan.argv, plan.env);
  FailChild(error_fd);
}

// execve(2) says ENOENT of the program also when it means what is to run it.
std::string MissingInterpreter(const std::string& program) {
  const UniqueFd file(open(program.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  char begin[256];
  const ssize_t size = file.valid() ? read(file.get(), begin, sizeof(begin)) : -1;
  if (size < 0) return "";
  absl::string_view line(begin, static_cast<size_t>(size));
  if (!absl::ConsumePrefix(&line, "#!")) return "its interpreter";
  line = absl::StripLeadingAsciiWhitespace(line.substr(0, line.find('\n')));
  return absl::StrCat("its interpreter ", line.substr(0, line.find_first_of(" \t")));
}

absl::Status StartError(int error, const std::string& step, const std::string& program) {
  const std::string interpreter = error == ENOENT ? MissingInterpreter(program) : "";
  return PosixError(error, interpreter.empty() ? step : absl::StrCat(step, ": ", interpreter));
}

}  // namespace

absl::StatusOr<std::string> ReadBootId() {
  static constexpr char kPath[] = "/proc/sys/kernel/random/boot_id";
  std::string boot_id;
  if (!ReadProcFile(kPath, &boot_id)) return PosixError(errno, absl::StrCat("read ", kPath));
  return std::string(absl::StripSuffix(boot_id, "\n"));
}

absl::StatusOr<ProcessIdentity> IdentifyProcess(pid_t pid) {
  ProcessIdentity identity;
  identity.pid = pid;
  char state = 0;
  if (!ReadStat(pid, &state, &identity.start_time_ticks) || state == 'Z' || state == 'X') {
    return absl::NotFoundError(absl::StrCat("process ", pid, ": not running"));
  }
  VCD_ASSIGN_OR_RETURN(identity.boot_id, ReadBootId());
  return identity;
}

absl::StatusOr<UniqueFd> OpenPidfd(const ProcessIdentity& identity) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, identity.pid, 0)));
  if (!pidfd.valid()) {
    if (errno == ESRCH) return absl::NotFoundError(absl::StrCat("process ", identity.pid, ": not running"));
    return PosixError(errno, absl::StrCat("pidfd_open ", identity.pid));
  }
  // The pidfd now holds on to whoever has the pid; only after that may it be compared.
  VCD_ASSIGN_OR_RETURN(const ProcessIdentity current, IdentifyProcess(identity.pid));
  if (!(current == identity)) {
    return absl::NotFoundError(absl::StrCat("process ", identity.pid, ": ended; another has its pid"));
  }
  return pidfd;
}

absl::Status SignalPidfd(int pidfd, int signal) {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 || errno == ESRCH) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("send signal ", signal));
}

std::vector<ProcessIdentity> FindProcesses(const std::string& marker) {
  std::vector<ProcessIdentity> found;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return found;
  const pid_t self = getpid();
  while (const dirent* entry = readdir(proc)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid) || pid == self) continue;
    std::string command_line;
    if (!ReadProcFile(absl::StrCat("/proc/", pid, "/cmdline"), &command_line)) continue;
    if (command_line.find(marker) == std::string::npos) continue;
    absl::StatusOr<ProcessIdentity> identity = IdentifyProcess(pid);
    if (identity.ok()) found.push_back(*std::move(identity));
  }
  closedir(proc);
  return found;
}

absl::StatusOr<LaunchedProcess> LaunchProcess(const LaunchSpec& spec) {
  if (spec.argv.empty()) return absl::InvalidArgumentError("launch: no program");
  const std::string& program = spec.program.empty() ? spec.argv[0] : spec.program;
  const std::string step = absl::StrCat("start ", program);
  UniqueFd null_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null_fd.valid()) return PosixError(errno, "open /dev/null");
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC) != 0) return PosixError(errno, absl::StrCat(step, ": pipe"));
  UniqueFd error_read(error_pipe[0]);
  UniqueFd error_write(error_pipe[1]);

  const std::vector<char*> argv = Pointers(spec.argv);
  const std::vector<char*> env = Pointers(spec.env);
  std::vector<int> scratch(spec.descriptors.size());
  int highest_target = 2;
  for (const auto& [source, target] : spec.descriptors) highest_target = std::max(highest_target, target);
  const ChildPlan plan{program.c_str(),
                       argv.data(),
                       env.data(),
                       spec.descriptors.data(),
                       spec.descriptors.size(),
                       scratch.data(),
                       highest_target,
                       spec.stdin_fd >= 0 ? spec.stdin_fd : null_fd.get(),
                       spec.stdout_fd >= 0 ? spec.stdout_fd : null_fd.get(),
                       spec.stderr_fd >= 0 ? spec.stderr_fd : null_fd.get(),
                       error_write.get(),
                       &spec};

  // Signals wait until the child has its own dispositions: a handler of ours must not run in it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  if (pid == 0) RunChild(plan);
  const int fork_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return PosixError(fork_error, absl::StrCat(step, ": fork"));
  error_write.Reset();

  // An unreaped child keeps its pid, so this cannot hit another process.
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  int exec_error = 0;
  ssize_t got;
  do {
    got = read(error_read.get(), &exec_error, sizeof(exec_error));
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof(exec_error))) {
    waitpid(pid, nullptr, 0);
    return StartError(exec_error, step, program);
  }
  absl::StatusOr<ProcessIdentity> identity = IdentifyProcess(pid);
  if (!identity.ok() || !pidfd.valid()) {
    // It has ended already: still a launch, and its exit status is to be had through the pidfd.
    if (!pidfd.valid()) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      return absl::InternalError(absl::StrCat(step, ": cannot open a pidfd of ", pid));
    }
    ProcessIdentity ended;
    ended.pid = pid;
    return LaunchedProcess{std::move(ended), std::move(pidfd)};
  }
  return LaunchedProcess{*std::move(identity), std::move(pidfd)};
}

}  // namespace vcd
