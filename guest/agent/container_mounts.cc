// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <string>
#include <utility>

#include "guest/agent/container_paths.h"
#include "guest/agent/disks.h"
#include "guest/agent/mount_objects.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::LinuxSettings;
using ::vcd::agent::v1::Mount;

std::vector<std::string> Options(const Mount& mount) { return {mount.options().begin(), mount.options().end()}; }

OutcomeOr<UniqueFd> OpenFiles(const Mount& mount) {
  const UniqueFd source(::open(mount.source().c_str(), O_PATH | O_CLOEXEC));
  if (!source.valid()) return SystemFailure("open " + mount.source());
  OutcomeOr<UniqueFd> clone = CloneMount(source, mount.source());
  if (!clone.ok()) return clone;
  // Nodes among the host's files are none here, unless it was asked for.
  std::vector<std::string> options = {"nodev"};
  for (std::string& option : Options(mount)) options.push_back(std::move(option));
  if (Outcome set = SetMountOptions(*clone, options, mount.source()); !set.ok()) return set;
  return clone;
}

// Not valid where the mount has nothing of the machine.
OutcomeOr<UniqueFd> OpenOne(const Mount& mount) {
  if (mount.has_disk()) return MakeFilesystem(DiskFilesystem(mount.type(), mount.source(), Options(mount)));
  if (mount.has_share() || mount.type() == "bind") return OpenFiles(mount);
  return UniqueFd();
}

bool IsFile(const UniqueFd& mount) {
  struct stat info {};
  return mount.valid() && ::fstat(mount.get(), &info) == 0 && !S_ISDIR(info.st_mode);
}

// A mount that hid /proc, or the root, would take away what the rest of the set-up stands on.
Outcome CheckMountPlace(const UniqueFd& place, const Mount& mount) {
  struct stat here {};
  struct stat root {};
  struct statfs info {};
  if (::fstat(place.get(), &here) != 0 || ::stat("/", &root) != 0 || ::fstatfs(place.get(), &info) != 0) {
    return SystemFailure("look at " + mount.destination());
  }
  if (here.st_dev == root.st_dev && here.st_ino == root.st_ino) {
    return Invalid("this is the container's root itself");
  }
  if (info.f_type == PROC_SUPER_MAGIC && mount.type() != "proc") {
    return Invalid("only a proc file system can be mounted on /proc");
  }
  return Outcome();
}

Outcome AttachOne(const Mount& mount, const UniqueFd& opened) {
  OutcomeOr<UniqueFd> place =
      IsFile(opened) ? MakeFileInContainer(mount.destination()) : MakeDirectoryInContainer(mount.destination());
  if (!place.ok()) return place.outcome();
  if (Outcome checked = CheckMountPlace(*place, mount); !checked.ok()) return checked;
  if (opened.valid()) return AttachMount(opened, *place, mount.destination());
  OutcomeOr<UniqueFd> made =
      MakeFilesystem({mount.type(), mount.source().empty() ? mount.type() : mount.source(), Options(mount)});
  return made.ok() ? AttachMount(*made, *place, mount.destination()) : made.outcome();
}

Outcome Named(const Mount& mount, const Outcome& outcome) {
  const std::string name = "mount on " + mount.destination() + ": ";
  if (outcome.ok() || outcome.message().rfind(name, 0) == 0) return outcome;
  return Outcome(outcome.code(), name + outcome.message());
}

}  // namespace

OutcomeOr<ContainerMounts> ContainerMounts::Open(const LinuxSettings& settings) {
  ContainerMounts mounts;
  for (const Mount& mount : settings.mounts()) {
    OutcomeOr<UniqueFd> opened = OpenOne(mount);
    if (!opened.ok()) return Named(mount, opened.outcome());
    mounts.opened_.push_back(std::move(*opened));
  }
  return mounts;
}

Outcome ContainerMounts::Attach(const LinuxSettings& settings) const {
  for (int i = 0; i < settings.mounts_size(); ++i) {
    const Mount& mount = settings.mounts(i);
    const Outcome attached = Named(mount, AttachOne(mount, opened_[static_cast<size_t>(i)]));
    if (!attached.ok()) return attached;
  }
  return Outcome();
}

}  // namespace vcd::guest
