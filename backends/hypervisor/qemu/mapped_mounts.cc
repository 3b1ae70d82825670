// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/mapped_mounts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/os/proc_file.h"
#include "core/os/unique_fd.h"

namespace vcd {
namespace {

struct Mount {
  uint64_t id = 0;
  std::string point;
  std::string type;
};

// Of this process (proc(5), /proc/<pid>/mountinfo).
std::vector<Mount> Mounts() {
  std::vector<Mount> mounts;
  std::string text;
  ReadProcFile("/proc/self/mountinfo", &text);
  for (const auto& line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() < 2) continue;
    const std::vector<std::string> fields = absl::StrSplit(halves[0], ' ');
    Mount mount;
    if (fields.size() < 5 || !absl::SimpleAtoi(fields[0], &mount.id)) continue;
    mount.point = absl::StrReplaceAll(fields[4], {{"\\040", " "}, {"\\011", "\t"}, {"\\012", "\n"}, {"\\134", "\\"}});
    mount.type = std::vector<std::string>(absl::StrSplit(halves[1], ' '))[0];
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

bool MapsIds(const Mount& mount, int user_namespace) {
  const UniqueFd clone(open_tree(AT_FDCWD, mount.point.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  mount_attr ids = {};
  ids.attr_set = MOUNT_ATTR_IDMAP;
  ids.userns_fd = static_cast<uint64_t>(user_namespace);
  return clone.valid() && mount_setattr(clone.get(), "", AT_EMPTY_PATH, &ids, sizeof(ids)) == 0;
}

std::string Describe(const Mount& mount) {
  return absl::StrCat("the file system of ", mount.point, " (", mount.type, ")");
}

}  // namespace

std::string DescribeUnmappable(int source, bool recursive, int user_namespace) {
  std::error_code error;
  const std::string path = std::filesystem::read_symlink(absl::StrCat("/proc/self/fd/", source), error).string();
  struct statx info = {};
  (void)statx(source, "", AT_EMPTY_PATH, STATX_MNT_ID, &info);
  const std::vector<Mount> mounts = Mounts();
  for (const Mount& mount : mounts) {
    if (mount.id == info.stx_mnt_id && !MapsIds(mount, user_namespace)) return Describe(mount);
  }
  for (const Mount& mount : mounts) {
    if (recursive && absl::StartsWith(mount.point, absl::StrCat(path, "/")) && !MapsIds(mount, user_namespace)) {
      return Describe(mount);
    }
  }
  return "its file system";
}

}  // namespace vcd
