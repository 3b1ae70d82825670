// SPDX-License-Identifier: Apache-2.0
#include <sys/sysmacros.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/os/filesystem.h"
#include "daemon/check/checks.h"
#include "daemon/check/kernel_files.h"
#include "daemon/metrics/metrics_address.h"
#include "daemon/server/listen_address.h"

namespace vcd {
namespace {

constexpr char kSocketCheck[] = "socket";
constexpr char kGroup[] = "vcd";

bool HasPrivateUsers(const config::v1::DaemonConfig& config) {
  return config.confinement().user() != "root" && config.confinement().uid_count() != 0;
}

// The user ids for pods.
struct UidRange {
  uint64_t first;
  uint64_t end;

  bool Meets(uint64_t other_first, uint64_t count) const { return other_first < end && first < other_first + count; }
};

// "name (id)" of the first user in the range; empty when there is none. passwd(5).
std::string UserInRange(const Host& host, const UidRange& range) {
  for (const absl::string_view line : absl::StrSplit(KernelText(host, "/etc/passwd"), '\n')) {
    const std::vector<std::string> parts = absl::StrSplit(line, ':');
    uint64_t id = 0;
    if (parts.size() >= 3 && absl::SimpleAtoi(parts[2], &id) && range.Meets(id, 1)) {
      return absl::StrCat(parts[0], " (", id, ")");
    }
  }
  return "";
}

// The first line of a file in the manner of subuid(5) that gives some of the range away.
std::string SubordinateInRange(const Host& host, const std::string& path, const UidRange& range) {
  for (const absl::string_view line : absl::StrSplit(KernelText(host, path), '\n')) {
    const std::vector<std::string> parts = absl::StrSplit(line, ':');
    uint64_t first = 0;
    uint64_t count = 0;
    if (parts.size() == 3 && absl::SimpleAtoi(parts[1], &first) && absl::SimpleAtoi(parts[2], &count) &&
        range.Meets(first, count)) {
      return absl::StrCat(path, ": ", line);
    }
  }
  return "";
}

void CheckUnixSocket(const CheckSubject& subject, const std::string& path, Findings& findings) {
  const Host& host = subject.host;
  const size_t before = findings.results().size();
  if (!host.HasGroup(kGroup)) findings.Bad(Fault::kNoGroup, "");
  const std::string directory = ParentDirectory(path);
  const absl::StatusOr<struct stat> parent = host.Stat(directory);
  // With the sticky bit only its owner removes a file.
  if (parent.ok() && (parent->st_mode & S_IWOTH) != 0 && (parent->st_mode & S_ISVTX) == 0) {
    findings.Bad(Fault::kSocketDirectoryOpen, absl::StrFormat("%s has mode %o", directory, parent->st_mode & 07777));
  }
  const absl::StatusOr<struct stat> socket = host.Stat(path);
  if (socket.ok() && !S_ISSOCK(socket->st_mode)) {
    findings.Bad(Fault::kSocketPathTaken, path);
  } else if (socket.ok() && (socket->st_mode & S_IWOTH) != 0) {
    findings.Bad(Fault::kSocketOpen, absl::StrFormat("%s has mode %o", path, socket->st_mode & 07777));
  }
  if (findings.results().size() == before) findings.Good(kSocketCheck, path);
}

}  // namespace

void CheckPrivileges(const CheckSubject& subject, Findings& findings) {
  const uid_t user = subject.host.user_id();
  if (user != 0) return findings.Bad(Fault::kNotRoot, absl::StrCat("it is user ", user));
  findings.Good("privileges", "root");
}

void CheckUidRange(const CheckSubject& subject, Findings& findings) {
  const config::v1::ConfinementConfig& confinement = subject.config.confinement();
  if (!HasPrivateUsers(subject.config)) return findings.Good("uid_range", "not wanted");
  const uint64_t first = confinement.first_uid();
  const UidRange range = {first, first + confinement.uid_count()};
  const std::string text = absl::StrCat(range.first, " to ", range.end - 1);
  const std::string user = UserInRange(subject.host, range);
  if (!user.empty()) return findings.Bad(Fault::kUidRangeTaken, absl::StrCat(user, ", of ", text));
  for (const char* path : {"/etc/subuid", "/etc/subgid"}) {
    const std::string line = SubordinateInRange(subject.host, path, range);
    if (!line.empty()) return findings.Bad(Fault::kSubuidRangeTaken, absl::StrCat(line, ", of ", text));
  }
  findings.Good("uid_range", text);
}

void CheckSocket(const CheckSubject& subject, Findings& findings) {
  const absl::StatusOr<ListenAddress> address = ParseListenAddress(subject.config.listen());
  if (!address.ok()) return;  // ResolveConfig has refused it before.
  if (!address->is_unix()) return findings.Bad(Fault::kListenTcp, address->Url());
  CheckUnixSocket(subject, address->path, findings);
}

void CheckMetrics(const CheckSubject& subject, Findings& findings) {
  const std::string& listen = subject.config.metrics().listen();
  if (listen.empty()) return findings.Good("metrics", "not served");
  const absl::StatusOr<MetricsAddress> address = ParseMetricsAddress(listen);
  if (address.ok() && !address->is_local()) return findings.Bad(Fault::kMetricsOpen, listen);
  findings.Good("metrics", listen);
}

void CheckOtherDaemon(const CheckSubject& subject, Findings& findings) {
  if (subject.serving) return findings.Good("daemon", "this one");
  const std::string path = absl::StrCat(subject.config.state_dir(), "/lock");
  const absl::StatusOr<struct stat> lock = subject.host.Stat(path);
  if (!lock.ok()) return findings.Good("daemon", "none");
  // Looked up, rather than tried: a daemon that starts meanwhile must find the lock free. "1: FLOCK ADVISORY WRITE 42
  // 08:01:1234 0 EOF", proc(5).
  const std::string file = absl::StrFormat("%02x:%02x:%d", major(lock->st_dev), minor(lock->st_dev), lock->st_ino);
  for (const absl::string_view line : absl::StrSplit(KernelText(subject.host, "/proc/locks"), '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 6 || words[1] == "->" || words[5] != file) continue;
    return findings.Bad(Fault::kDaemonRuns, absl::StrCat("process ", words[4], " holds ", path));
  }
  findings.Good("daemon", "none");
}

}  // namespace vcd
