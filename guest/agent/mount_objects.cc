// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/mount_objects.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace vcd::guest {
namespace {

// Options of a mount, not of its file system. Those that only take a flag back are known by it.
struct Attribute {
  const char* name;
  uint64_t set;
  uint64_t cleared;
};
constexpr Attribute kAttributes[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"atime", 0, MOUNT_ATTR__ATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"defaults", 0, 0},
};

// How mounts and unmounts spread between copies of a mount; with an `r` before, for all below it too.
struct Propagation {
  const char* name;
  uint64_t type;
};
constexpr Propagation kPropagations[] = {
    {"private", MS_PRIVATE}, {"slave", MS_SLAVE}, {"shared", MS_SHARED}, {"unbindable", MS_UNBINDABLE}};

const Propagation* FindPropagation(const std::string& option, bool* recursive) {
  for (const Propagation& propagation : kPropagations) {
    *recursive = option == std::string("r") + propagation.name;
    if (*recursive || option == propagation.name) return &propagation;
  }
  return nullptr;
}

Outcome SetAttributes(const UniqueFd& mount, mount_attr attributes, bool recursive, const std::string& step) {
  const unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  if (::mount_setattr(mount.get(), "", flags, &attributes, sizeof(attributes)) == 0) return Outcome();
  return SystemFailure(step);
}

const Attribute* FindAttribute(const std::string& option) {
  for (const Attribute& attribute : kAttributes) {
    if (option == attribute.name) return &attribute;
  }
  return nullptr;
}

// What the kernel adds to errno of a file system that is being made: lines such as "e tmpfs: Bad value for 'size'".
std::string KernelWords(const UniqueFd& context, int error) {
  std::string words;
  char line[512];
  for (ssize_t got = ::read(context.get(), line, sizeof(line)); got > 0;
       got = ::read(context.get(), line, sizeof(line))) {
    if (line[0] != 'e') continue;
    if (!words.empty()) words += "; ";
    words.append(line + 2, static_cast<size_t>(got > 2 ? got - 2 : 0));
    while (!words.empty() && words.back() == '\n') words.pop_back();
  }
  return words.empty() ? std::strerror(error) : words;
}

bool SetOption(const UniqueFd& context, const std::string& option) {
  const size_t equals = option.find('=');
  if (equals == std::string::npos) {
    return ::fsconfig(context.get(), FSCONFIG_SET_FLAG, option.c_str(), nullptr, 0) == 0;
  }
  return ::fsconfig(context.get(), FSCONFIG_SET_STRING, option.substr(0, equals).c_str(),
                    option.substr(equals + 1).c_str(), 0) == 0;
}

}  // namespace

OutcomeOr<UniqueFd> MakeFilesystem(const FilesystemRequest& request) {
  const std::string step = "make a file system of type " + request.type;
  const UniqueFd context(::fsopen(request.type.c_str(), FSOPEN_CLOEXEC));
  if (!context.valid()) {
    if (errno == ENODEV) return Invalid(step + ": the guest's kernel does not know this type");
    return SystemFailure(step);
  }
  if (!request.source.empty()) {
    // Types without a source, such as cgroup2, may refuse one. It is a name then and nothing else.
    (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", request.source.c_str(), 0);
  }
  if (request.readonly && !SetOption(context, "ro")) return Invalid(step + ": " + KernelWords(context, errno));
  uint64_t attributes = 0;
  std::vector<std::string> spreading;
  for (const std::string& option : request.options) {
    bool recursive = false;
    if (const Attribute* attribute = FindAttribute(option); attribute != nullptr) {
      attributes = (attributes & ~attribute->cleared) | attribute->set;
    } else if (FindPropagation(option, &recursive) != nullptr) {
      spreading.push_back(option);
    } else if (!SetOption(context, option)) {
      return Invalid(step + ": option \"" + option + "\": " + KernelWords(context, errno));
    }
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    const int error = errno;
    const std::string message = step + ": " + KernelWords(context, error);
    return Outcome(error == EINVAL ? ErrorCode::ERROR_CODE_INVALID : ErrorCode::ERROR_CODE_SYSTEM, message);
  }
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)));
  if (!mount.valid()) return SystemFailure(step);
  if (spreading.empty()) return mount;
  if (Outcome set = SetMountOptions(mount, spreading, request.type); !set.ok()) return set;
  return mount;
}

OutcomeOr<UniqueFd> CloneMount(const UniqueFd& place, const std::string& name) {
  UniqueFd clone(::open_tree(place.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!clone.valid()) return SystemFailure("clone the mount at " + name);
  return clone;
}

Outcome MakeReadOnly(const UniqueFd& mount, const std::string& name) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  return SetAttributes(mount, attributes, /*recursive=*/true, "make " + name + " read-only");
}

Outcome SetMountOptions(const UniqueFd& mount, const std::vector<std::string>& options, const std::string& name) {
  mount_attr attributes{};
  for (const std::string& option : options) {
    if (option == "bind" || option == "rbind") continue;
    bool recursive = false;
    if (const Propagation* propagation = FindPropagation(option, &recursive); propagation != nullptr) {
      mount_attr spreading{};
      spreading.propagation = propagation->type;
      const Outcome set = SetAttributes(mount, spreading, recursive, "make " + name + " " + option);
      if (!set.ok()) return set;
      continue;
    }
    const Attribute* const attribute = FindAttribute(option);
    if (attribute == nullptr) return Invalid("mount of " + name + ": option \"" + option + "\" is unknown");
    attributes.attr_set = (attributes.attr_set & ~attribute->cleared) | attribute->set;
    attributes.attr_clr |= attribute->cleared;
  }
  return SetAttributes(mount, attributes, /*recursive=*/true, "set the options of " + name);
}

Outcome AttachMount(const UniqueFd& mount, const UniqueFd& place, const std::string& name) {
  if (::move_mount(mount.get(), "", place.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    const int error = errno;
    struct stat source {
    }, target{};
    if (::fstat(mount.get(), &source) == 0 && ::fstat(place.get(), &target) == 0 &&
        S_ISDIR(source.st_mode) != S_ISDIR(target.st_mode)) {
      return Invalid("mount on " + name + ": " +
                     (S_ISDIR(target.st_mode) ? "it is a directory, which a file cannot be mounted over"
                                              : "it is a file, which a directory cannot be mounted over"));
    }
    return SystemFailure("mount on " + name, error);
  }
  return Outcome();
}

}  // namespace vcd::guest
