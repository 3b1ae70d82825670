// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/unix_socket.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kGroup[] = "vcd";

// A child of a vcd that was killed holds its socket until it has become the program that it was forked for: so long,
// and no longer, is waited for one that listens.
constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr absl::Duration kInterval = absl::Milliseconds(10);

// OK when nobody answers at the path.
absl::Status CheckNobodyListens(const std::string& path, absl::string_view flag) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return PosixError(errno, "make a socket");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // ParseListenAddress has checked the length.
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const int result = connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  // EAGAIN: somebody listens, and has a full queue.
  if (result == 0 || errno == EAGAIN || errno == EINPROGRESS) {
    return absl::FailedPreconditionError(absl::StrCat("another daemon listens on ", path,
                                                      "; stop it, or give this one a socket of its own with ", flag,
                                                      " and directories of its own with --state-dir and --run-dir"));
  }
  if (errno == ECONNREFUSED || errno == ENOENT) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("look whether somebody listens on ", path));
}

}  // namespace

absl::Status MakeSocketDirectory(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const ScopedUmask mask(022);
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return PosixError(error.value(), absl::StrCat("make the directory ", directory, " for the socket"));
  return absl::OkStatus();
}

absl::Status PrepareUnixSocketPath(const std::string& path, absl::string_view flag) {
  VCD_RETURN_IF_ERROR(MakeSocketDirectory(path));
  struct stat found = {};
  if (lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? absl::OkStatus() : PosixError(errno, absl::StrCat("look at ", path));
  }
  if (!S_ISSOCK(found.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is there and is no socket; move it away, or listen elsewhere with ", flag));
  }
  const absl::Time give_up = absl::Now() + kPatience;
  while (true) {
    const absl::Status nobody = CheckNobodyListens(path, flag);
    if (!absl::IsFailedPrecondition(nobody) || absl::Now() >= give_up) return nobody;
    absl::SleepFor(kInterval);
  }
}

absl::Status GiveUnixSocketToGroup(const std::string& path) {
  group entry = {};
  group* found = nullptr;
  std::vector<char> buffer(1 << 16);
  if (getgrnam_r(kGroup, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return absl::OkStatus();
  if (lchown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) == 0) return absl::OkStatus();
  // Without privilege the socket stays with the caller's own group, which may use it anyway.
  if (errno == EPERM) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("give ", path, " to the group ", kGroup));
}

ScopedUmask::ScopedUmask(mode_t mask) : before_(umask(mask)) {}
ScopedUmask::~ScopedUmask() { umask(before_); }

}  // namespace vcd
