// SPDX-License-Identifier: Apache-2.0
#include "core/netlink/tap_device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr int kOpenFlags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
constexpr int kTapFlags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

// Makes the descriptor one of the tap's. The errno of it; 0 is none.
int AttachQueue(const UniqueFd& fd, const std::string& name, int flags) {
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name.c_str());
  request.ifr_flags = static_cast<short>(flags);
  return ::ioctl(fd.get(), TUNSETIFF, &request) == 0 ? 0 : errno;
}

// Opens as many of the node that `open` opens.
template <typename OpenNode>
absl::StatusOr<std::vector<UniqueFd>> OpenAll(uint32_t count, absl::string_view step, const OpenNode& open) {
  std::vector<UniqueFd> fds;
  for (uint32_t i = 0; i < count; ++i) {
    fds.emplace_back(open());
    if (!fds.back().valid()) return PosixError(errno, step);
  }
  return fds;
}

// A file system in memory that is mounted nowhere, such as a fresh tmpfs or the sysfs of the calling thread's network
// namespace.
absl::StatusOr<UniqueFd> MountNowhere(const char* type) {
  const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
  if (context.valid() && ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    UniqueFd mounted(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
    if (mounted.valid()) return mounted;
  }
  return PosixError(errno, absl::StrCat("mount a ", type));
}

// The device number in a file of sysfs: `250:1`.
absl::StatusOr<dev_t> ReadDeviceNumber(const UniqueFd& sysfs, const std::string& path) {
  const UniqueFd file(::openat(sysfs.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[32] = {};
  if (!file.valid() || ::read(file.get(), text, sizeof text - 1) < 0) return PosixError(errno, "/sys/" + path);
  unsigned major_number = 0;
  unsigned minor_number = 0;
  if (std::sscanf(text, "%u:%u", &major_number, &minor_number) != 2) {
    return absl::InternalError(absl::StrCat("/sys/", path, ": holds no device number"));
  }
  return makedev(major_number, minor_number);
}

absl::StatusOr<std::vector<UniqueFd>> OpenMacvtapInside(const std::string& name, int index, uint32_t queues) {
  VCD_ASSIGN_OR_RETURN(const UniqueFd sysfs, MountNowhere("sysfs"));
  VCD_ASSIGN_OR_RETURN(const dev_t number,
                       ReadDeviceNumber(sysfs, absl::StrCat("class/net/", name, "/macvtap/tap", index, "/dev")));
  // Not in a directory of the host's: those for run-time files are often mounted without devices.
  VCD_ASSIGN_OR_RETURN(const UniqueFd nodes, MountNowhere("tmpfs"));
  if (::mknodat(nodes.get(), "tap", S_IFCHR | 0600, number) != 0) {
    return PosixError(errno, absl::StrCat("make a device node for ", name));
  }
  return OpenAll(queues, absl::StrCat("open the device of ", name),
                 [&nodes] { return ::openat(nodes.get(), "tap", kOpenFlags); });
}

}  // namespace

absl::StatusOr<std::vector<UniqueFd>> OpenTapQueues(const NetworkNamespace& netns, const std::string& name,
                                                    uint32_t queues, bool existing) {
  absl::StatusOr<std::vector<UniqueFd>> fds;
  // The namespace that it is opened in is the tap's for good.
  VCD_RETURN_IF_ERROR(netns.Run([&fds, queues] {
    fds = OpenAll(queues, "open /dev/net/tun", [] { return ::open("/dev/net/tun", kOpenFlags); });
    return fds.status();
  }));
  const std::string step = absl::StrCat(existing ? "open tap " : "make tap ", name);
  // A tap for many queues takes memory for 256.
  int flags = kTapFlags | (queues > 1 || existing ? IFF_MULTI_QUEUE : 0);
  int error = AttachQueue(fds->front(), name, flags | (existing ? 0 : IFF_TUN_EXCL));
  if (error == EINVAL && existing) {
    // It was not made for many queues.
    flags = kTapFlags;
    fds->resize(1);
    error = AttachQueue(fds->front(), name, flags);
  }
  for (size_t i = 1; error == 0 && i < fds->size(); ++i) error = AttachQueue((*fds)[i], name, flags);
  if (error != 0) return PosixError(error, step);
  return fds;
}

absl::StatusOr<std::vector<UniqueFd>> OpenMacvtapQueues(const NetworkNamespace& netns, const std::string& name,
                                                        int index, uint32_t queues) {
  absl::StatusOr<std::vector<UniqueFd>> fds;
  VCD_RETURN_IF_ERROR(netns.Run([&] {
    fds = OpenMacvtapInside(name, index, queues);
    return fds.status();
  }));
  const int flags = kTapFlags | (queues > 1 ? IFF_MULTI_QUEUE : 0);
  for (const UniqueFd& fd : *fds) {
    if (const int error = AttachQueue(fd, name, flags); error != 0) return PosixError(error, "set up " + name);
  }
  return fds;
}

}  // namespace vcd
