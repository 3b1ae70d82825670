// SPDX-License-Identifier: Apache-2.0
#include "core/confinement/cgroup_removal.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/os/proc_file.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Version 1 tells nobody but the release agent, one program for the whole host.
constexpr absl::Duration kLookAgain = absl::Milliseconds(5);

// Until no process is in a group of version 2, nor below it; false when that takes longer.
bool AwaitEmpty(const std::string& directory, absl::Time patience) {
  const UniqueFd events(open((directory + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  if (!events.valid()) return errno == ENOENT;
  while (true) {
    char text[256];
    // Reading it is what the kernel tells changes since of.
    const ssize_t size = pread(events.get(), text, sizeof text, 0);
    // ENODEV: somebody else has removed the group.
    if (size < 0) return errno == ENODEV;
    if (absl::StrContains(absl::string_view(text, static_cast<size_t>(size)), "populated 0")) return true;
    const absl::Duration left = patience - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    pollfd change{events.get(), POLLPRI, 0};
    if (poll(&change, 1, static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))))) < 0 &&
        errno != EINTR) {
      return false;
    }
  }
}

}  // namespace

std::vector<std::string> CgroupProcesses(const std::string& directory) {
  std::string text;
  if (!ReadProcFile(directory + "/cgroup.procs", &text)) return {};
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

absl::Status RemoveCgroup(const std::string& directory, bool unified, absl::Time patience) {
  bool empty = false;
  // Asked first: of what is mounted read-only (EROFS) rmdir does not say that there is none.
  while (access(directory.c_str(), F_OK) == 0 && rmdir(directory.c_str()) != 0 && errno != ENOENT) {
    const int error = errno;
    if (error == EBUSY && !unified && absl::Now() < patience) {
      absl::SleepFor(kLookAgain);
      continue;
    }
    // One of version 2 that is empty and cannot go has groups below it.
    if (error == EBUSY && unified && !empty && (empty = AwaitEmpty(directory, patience))) continue;
    std::string step = absl::StrCat("remove the control group ", directory);
    const std::vector<std::string> processes = CgroupProcesses(directory);
    if (!processes.empty()) absl::StrAppend(&step, ", which holds processes ", absl::StrJoin(processes, " "));
    return PosixError(error, step);
  }
  return absl::OkStatus();
}

}  // namespace vcd
