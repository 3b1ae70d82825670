// SPDX-License-Identifier: Apache-2.0
#include "core/model/mounts.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/model/field_checks.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kMaxMountTagBytes = 36;  // virtio-fs.

// File systems that a guest has without any help of the host.
constexpr const char* kGuestFilesystems[] = {"tmpfs", "proc", "sysfs", "mqueue", "devpts", "cgroup2"};

// Options of mounts that show what is a file system already; see mount(8) and the OCI runtime specification.
constexpr const char* kBindOptions[] = {
    "bind",  "rbind",      "ro",       "rw",      "nosuid",     "suid",        "nodev",       "dev",     "noexec",
    "exec",  "nodiratime", "diratime", "noatime", "atime",      "relatime",    "strictatime", "private", "rprivate",
    "slave", "rslave",     "shared",   "rshared", "unbindable", "runbindable", "nosymfollow", "defaults"};

template <size_t N>
bool Contains(const char* const (&list)[N], absl::string_view text) {
  return std::any_of(std::begin(list), std::end(list), [&](const char* entry) { return text == entry; });
}

bool HasOption(const v1::Mount& mount, absl::string_view wanted) {
  return std::any_of(mount.options().begin(), mount.options().end(),
                     [&](const std::string& option) { return option == wanted; });
}

// What the path leads to without any "." and "..", which are taken as mount(8) would if there were no links.
std::string Normal(const std::string& path) {
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string result;
  for (const absl::string_view part : parts) absl::StrAppend(&result, "/", part);
  return result.empty() ? "/" : result;
}

bool IsAtOrBelow(const std::string& path, absl::string_view directory) {
  return path == directory || absl::StartsWith(path, absl::StrCat(directory, "/"));
}

// Whether the host's kernel makes up what is there. What somebody put into the memory of /dev/shm is files like any.
bool IsOfKernel(const std::string& path) {
  if (IsAtOrBelow(path, "/dev")) return !absl::StartsWith(path, "/dev/shm/");
  return IsAtOrBelow(path, "/proc") || IsAtOrBelow(path, "/sys");
}

bool IsTag(const std::string& tag) {
  if (tag.empty() || tag.size() > kMaxMountTagBytes || !absl::ascii_isalnum(static_cast<unsigned char>(tag[0]))) {
    return false;
  }
  return std::all_of(tag.begin(), tag.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  });
}

absl::Status CheckTag(const std::string& field, const std::string& tag) {
  if (IsTag(tag)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(tag),
                                          "\" is no tag of a volume: [A-Za-z0-9][A-Za-z0-9_.-]{0,35} is one"));
}

absl::Status CheckBind(const v1::Mount& mount, const std::string& element) {
  const std::string source_field = absl::StrCat(element, ".source");
  VCD_RETURN_IF_ERROR(CheckAbsolutePath(source_field, mount.source()));
  const std::string source = Normal(mount.source());
  if (IsOfKernel(source)) {
    return InvalidField(source_field,
                        absl::StrCat(source,
                                     " is of the host's kernel, which a guest cannot see; each container has "
                                     "the guest's own /proc, /sys and /dev, `devices` adds nodes, and mounts of "
                                     "type proc, sysfs, tmpfs and cgroup2 put more of them elsewhere"));
  }
  if (IsAtOrBelow(Normal(mount.destination()), "/proc")) {
    return InvalidField(absl::StrCat(element, ".destination"), "the host's files cannot cover /proc");
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const v1::Mount& mount, MountKind kind, const std::string& field) {
  for (int i = 0; i < mount.options_size(); ++i) {
    const std::string& option = mount.options(i);
    VCD_RETURN_IF_ERROR(CheckWord(Element(field, i), option, kMaxPathBytes));
    if (kind != MountKind::kBind && kind != MountKind::kVolume) continue;
    if (Contains(kBindOptions, option)) continue;
    return InvalidField(Element(field, i), absl::StrCat("\"", absl::CHexEscape(option),
                                                        "\" is no option of a mount of the host's files, such as ro, "
                                                        "rbind, noexec or rslave"));
  }
  return absl::OkStatus();
}

absl::Status CheckMount(const v1::Mount& mount, const std::string& element) {
  VCD_RETURN_IF_ERROR(CheckBelowRoot(absl::StrCat(element, ".destination"), mount.destination()));
  const std::string source_field = absl::StrCat(element, ".source");
  VCD_RETURN_IF_ERROR(CheckText(source_field, mount.source(), kMaxPathBytes));
  const std::string type_field = absl::StrCat(element, ".type");
  VCD_RETURN_IF_ERROR(CheckText(type_field, mount.type(), kMaxNameBytes));
  const std::optional<MountKind> kind = KindOf(mount);
  if (!kind.has_value()) {
    return InvalidField(type_field, absl::StrCat("\"", absl::CHexEscape(mount.type()),
                                                 "\" is unknown; known are bind, volume, tmpfs, proc, sysfs, mqueue, "
                                                 "devpts, cgroup2, and, of disks, ",
                                                 kDiskFilesystems));
  }
  VCD_RETURN_IF_ERROR(CheckOptions(mount, *kind, absl::StrCat(element, ".options")));
  switch (*kind) {
    case MountKind::kGuest:
    case MountKind::kGuestsOwn:
      return absl::OkStatus();
    case MountKind::kBind:
      return CheckBind(mount, element);
    case MountKind::kVolume:
      return CheckTag(source_field, mount.source());
    case MountKind::kDisk:
      return CheckAbsolutePath(source_field, mount.source());
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<MountKind> KindOf(const v1::Mount& mount) {
  if (mount.type() == "bind" || HasOption(mount, "bind") || HasOption(mount, "rbind")) {
    const std::string source = Normal(mount.source());
    const bool own = IsOfKernel(source) && source == Normal(mount.destination());
    return own ? MountKind::kGuestsOwn : MountKind::kBind;
  }
  if (mount.type() == "volume") return MountKind::kVolume;
  if (IsDiskFilesystem(mount.type())) return MountKind::kDisk;
  if (Contains(kGuestFilesystems, mount.type())) return MountKind::kGuest;
  return std::nullopt;
}

bool IsReadOnly(const v1::Mount& mount) {
  bool readonly = false;
  for (const std::string& option : mount.options()) {
    if (option == "ro") readonly = true;
    if (option == "rw") readonly = false;
  }
  return readonly || mount.type() == "erofs" || mount.type() == "squashfs";
}

bool IsRecursive(const v1::Mount& mount) { return HasOption(mount, "rbind"); }

bool IsDiskFilesystem(absl::string_view type) {
  return type == "ext4" || type == "xfs" || type == "erofs" || type == "squashfs";
}

absl::Status CheckMounts(const v1::ContainerConfig& config, const std::string& field) {
  for (int i = 0; i < config.mounts_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckMount(config.mounts(i), Element(field, i)));
  }
  return absl::OkStatus();
}

absl::Status CheckVolumeTags(const v1::ContainerConfig& config, const v1::PodConfig& pod, const std::string& field) {
  for (int i = 0; i < config.mounts_size(); ++i) {
    const v1::Mount& mount = config.mounts(i);
    if (KindOf(mount) != MountKind::kVolume) continue;
    std::vector<absl::string_view> known;
    for (const v1::Volume& volume : pod.volumes()) known.push_back(volume.mount_tag());
    if (std::find(known.begin(), known.end(), mount.source()) != known.end()) continue;
    return InvalidField(absl::StrCat(Element(absl::StrCat(field, ".mounts"), i), ".source"),
                        absl::StrCat("\"", mount.source(), "\" is no volume of the pod; it has ",
                                     known.empty() ? "none" : absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

absl::Status CheckVolumes(const v1::PodConfig& config, const std::string& field) {
  std::set<std::string> tags;
  for (int i = 0; i < config.volumes_size(); ++i) {
    const v1::Volume& volume = config.volumes(i);
    const std::string tag_field = absl::StrCat(Element(field, i), ".mount_tag");
    VCD_RETURN_IF_ERROR(CheckTag(tag_field, volume.mount_tag()));
    if (!tags.insert(volume.mount_tag()).second) {
      return InvalidField(tag_field, absl::StrCat("\"", volume.mount_tag(), "\" is the tag of an earlier volume too"));
    }
    const std::string path_field = absl::StrCat(Element(field, i), ".host_path");
    VCD_RETURN_IF_ERROR(CheckAbsolutePath(path_field, volume.host_path()));
    if (const std::string path = Normal(volume.host_path()); IsOfKernel(path)) {
      return InvalidField(path_field, absl::StrCat(path, " is of the host's kernel, which a guest cannot see"));
    }
  }
  return absl::OkStatus();
}

bool SharesDirectories(const v1::ContainerConfig& config) {
  return config.rootfs().has_directory() ||
         std::any_of(config.mounts().begin(), config.mounts().end(),
                     [](const v1::Mount& mount) { return KindOf(mount) == MountKind::kBind; });
}

}  // namespace vcd
