// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_devices.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#undef major
#undef minor

#include <cerrno>
#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/container_paths.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::DeviceNode;

constexpr char kDev[] = "/dev/";

OutcomeOr<mode_t> FileType(const DeviceNode& device) {
  if (device.type() == "c" || device.type() == "u") return mode_t{S_IFCHR};
  if (device.type() == "b") return mode_t{S_IFBLK};
  if (device.type() == "p") return mode_t{S_IFIFO};
  return Invalid("device " + device.path() + ": type \"" + device.type() + "\" is unknown; known are c, u, b and p");
}

Outcome MakeDeviceNode(const DeviceNode& device) {
  const std::string& path = device.path();
  const size_t slash = path.rfind('/');
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (path.rfind(kDev, 0) != 0 || name.empty() || name == "." || name == "..") {
    return Invalid("device " + path + ": is not below " + kDev);
  }
  OutcomeOr<mode_t> type = FileType(device);
  if (!type.ok()) return type.outcome();
  OutcomeOr<UniqueFd> directory = MakeDirectoryInContainer(path.substr(0, slash));
  if (!directory.ok()) return directory.outcome();
  const auto make = [&] {
    return ::mknodat(directory->get(), name.c_str(), *type | (device.file_mode() & 07777),
                     makedev(static_cast<unsigned>(device.major()), static_cast<unsigned>(device.minor())));
  };
  if (make() != 0 && (errno != EEXIST || ::unlinkat(directory->get(), name.c_str(), 0) != 0 || make() != 0)) {
    return SystemFailure("make the device " + path);
  }
  if (::fchownat(directory->get(), name.c_str(), device.uid(), device.gid(), AT_SYMLINK_NOFOLLOW) != 0) {
    return SystemFailure("give the device " + path + " its owner");
  }
  return Outcome();
}

}  // namespace

Outcome MakeStandardDevices() {
  struct Node {
    const char* path;
    unsigned major, minor;
  };
  for (const Node& node : {Node{"/dev/null", 1, 3}, Node{"/dev/zero", 1, 5}, Node{"/dev/full", 1, 7},
                           Node{"/dev/random", 1, 8}, Node{"/dev/urandom", 1, 9}, Node{"/dev/tty", 5, 0}}) {
    if (::mknod(node.path, S_IFCHR | 0666, makedev(node.major, node.minor)) != 0) {
      return SystemFailure(std::string("make ") + node.path);
    }
  }
  struct Link {
    const char* target;
    const char* path;
  };
  for (const Link& link :
       {Link{"/proc/self/fd", "/dev/fd"}, Link{"/proc/self/fd/0", "/dev/stdin"}, Link{"/proc/self/fd/1", "/dev/stdout"},
        Link{"/proc/self/fd/2", "/dev/stderr"}, Link{"pts/ptmx", "/dev/ptmx"}}) {
    if (::symlink(link.target, link.path) != 0) return SystemFailure(std::string("make ") + link.path);
  }
  return Outcome();
}

Outcome MakeDeviceNodes(const ::vcd::agent::v1::LinuxSettings& settings) {
  for (const DeviceNode& device : settings.devices()) {
    if (Outcome made = MakeDeviceNode(device); !made.ok()) return made;
  }
  return Outcome();
}

}  // namespace vcd::guest
