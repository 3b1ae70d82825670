// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_settings.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "guest/agent/container_paths.h"
#include "guest/agent/mount_objects.h"
#include "guest/agent/mounts.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::LinuxSettings;

constexpr char kFilesSize[] = "size=4m";  // Of both name files; a container may write them too.

// Writes `content` to a new file in `directory` and gives it as a mount of its own; not valid if there is no content.
OutcomeOr<UniqueFd> FileAsMount(const std::string& directory, const std::string& name, const std::string& content,
                                bool readonly) {
  if (content.empty()) return UniqueFd();
  const std::string path = directory + "/" + name;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.valid()) return SystemFailure("make the container's " + name);
  if (::fchmod(file.get(), 0644) != 0 ||
      ::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return SystemFailure("write the container's " + name);
  }
  OutcomeOr<UniqueFd> mount = CloneMount(file, name);
  if (mount.ok() && readonly) {
    if (Outcome done = MakeReadOnly(*mount, name); !done.ok()) return done;
  }
  return mount;
}

Outcome AttachFile(const UniqueFd& mount, const std::string& path) {
  if (!mount.valid()) return Outcome();
  OutcomeOr<UniqueFd> place = MakeFileInContainer(path);
  return place.ok() ? AttachMount(mount, *place, path) : place.outcome();
}

Outcome CheckSysctlName(const std::string& name) {
  for (const char c : name) {
    // A slash would be part of a path that nobody checked.
    if (c == '/' || c == '\0') return Invalid("sysctl \"" + name + "\": use dots between the parts of its name");
  }
  return Outcome();
}

// True if there is something at `path`; `place` is it.
OutcomeOr<bool> Find(const std::string& path, UniqueFd* place) {
  *place = OpenInContainer(path, O_PATH);
  if (place->valid()) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return SystemFailure("look for " + path);
}

Outcome MaskPath(const std::string& path) {
  UniqueFd place;
  OutcomeOr<bool> found = Find(path, &place);
  if (!found.ok() || !*found) return found.outcome();
  struct stat info {};
  if (::fstat(place.get(), &info) != 0) return SystemFailure("look at " + path);
  OutcomeOr<UniqueFd> cover = UniqueFd();
  if (S_ISDIR(info.st_mode)) {
    cover = MakeFilesystem({"tmpfs", "tmpfs", {"ro", "nosuid", "nodev", "noexec", "mode=755"}});
  } else {
    const UniqueFd null = OpenInContainer("/dev/null", O_PATH);
    if (!null.valid()) return SystemFailure("open /dev/null");
    cover = CloneMount(null, "/dev/null");
  }
  return cover.ok() ? AttachMount(*cover, place, path) : cover.outcome();
}

Outcome ProtectPath(const std::string& path) {
  UniqueFd place;
  OutcomeOr<bool> found = Find(path, &place);
  if (!found.ok() || !*found) return found.outcome();
  OutcomeOr<UniqueFd> clone = CloneMount(place, path);
  if (!clone.ok()) return clone.outcome();
  if (Outcome done = MakeReadOnly(*clone, path); !done.ok()) return done;
  return AttachMount(*clone, place, path);
}

}  // namespace

OutcomeOr<NameFiles> NameFiles::Make(const LinuxSettings& settings, const std::string& scratch, bool readonly) {
  NameFiles files;
  if (settings.resolv_conf().empty() && settings.hosts().empty()) return files;
  if (Outcome m = Mount({"tmpfs", scratch, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, kFilesSize}); !m.ok()) return m;
  OutcomeOr<UniqueFd> resolv_conf = FileAsMount(scratch, "resolv.conf", settings.resolv_conf(), readonly);
  OutcomeOr<UniqueFd> hosts = FileAsMount(scratch, "hosts", settings.hosts(), readonly);
  Unmount(scratch);  // The two mounts keep the files.
  if (!resolv_conf.ok()) return resolv_conf.outcome();
  if (!hosts.ok()) return hosts.outcome();
  files.resolv_conf_ = std::move(*resolv_conf);
  files.hosts_ = std::move(*hosts);
  return files;
}

Outcome NameFiles::Attach() const {
  if (Outcome done = AttachFile(resolv_conf_, "/etc/resolv.conf"); !done.ok()) return done;
  return AttachFile(hosts_, "/etc/hosts");
}

Outcome SetSysctls(const LinuxSettings& settings) {
  for (const LinuxSettings::Sysctl& sysctl : settings.sysctls()) {
    if (Outcome checked = CheckSysctlName(sysctl.name()); !checked.ok()) return checked;
    std::string path = "/proc/sys/" + sysctl.name();
    for (char& c : path) c = c == '.' ? '/' : c;
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.valid()) {
      if (errno == ENOENT) return Invalid("the guest's kernel has no sysctl \"" + sysctl.name() + "\"");
      return SystemFailure("open the sysctl " + sysctl.name());
    }
    const std::string& value = sysctl.value();
    if (::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
      const std::string step = "set the sysctl " + sysctl.name() + " to \"" + value + "\"";
      return errno == EINVAL ? Invalid(step + ": " + std::strerror(errno)) : SystemFailure(step);
    }
  }
  return Outcome();
}

Outcome HidePaths(const LinuxSettings& settings) {
  for (const std::string& path : settings.readonly_paths()) {
    if (Outcome done = ProtectPath(path); !done.ok()) return done;
  }
  for (const std::string& path : settings.masked_paths()) {
    if (Outcome done = MaskPath(path); !done.ok()) return done;
  }
  return Outcome();
}

}  // namespace vcd::guest
