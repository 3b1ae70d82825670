// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/shared_files.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/os/unique_fd.h"
#include "guest/agent/file_io.h"

namespace vcd::guest {
namespace {

constexpr size_t kMaxTagBytes = 36;    // struct virtio_fs_config.
constexpr size_t kMaxNameBytes = 255;  // NAME_MAX.

// Forgets what nobody uses any more.
void Prune(std::map<std::string, std::weak_ptr<SharedMount>>* mounts) {
  for (auto mount = mounts->begin(); mount != mounts->end();) {
    mount = mount->second.expired() ? mounts->erase(mount) : std::next(mount);
  }
}

Outcome CheckName(const std::string& name) {
  if (name.size() > kMaxNameBytes || name == "." || name == ".." || name.find('/') != std::string::npos) {
    return Invalid("\"" + name + "\" is no name below a virtiofs share");
  }
  return Outcome();
}

}  // namespace

OutcomeOr<std::optional<SharedFile>> SharedFiles::Acquire(const ::vcd::agent::v1::RootfsSource::Virtiofs& source) {
  if (Outcome checked = CheckName(source.name()); !checked.ok()) return checked;
  Prune(&roots_);
  Prune(&names_);
  auto root = MountTag(source.tag());
  if (!root.ok()) return root.outcome();
  if (*root == nullptr) return std::optional<SharedFile>();
  if (source.name().empty()) return std::make_optional(SharedFile{(*root)->path(), *root});

  const std::string path = (*root)->path() + "/" + source.name();
  if (auto mounted = names_[path].lock()) return std::make_optional(SharedFile{path, mounted});
  // A directory's own file system is there once it has been opened; a file has none, and is not opened: O_PATH leaves
  // what a device node or a pipe would do.
  UniqueFd entered(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!entered.valid() && errno == ENOTDIR) entered = UniqueFd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!entered.valid())
    return SystemFailure("\"" + source.name() + "\" of the virtiofs share \"" + source.tag() + "\"");
  auto mount = std::make_shared<SharedMount>(path, *root);
  names_[path] = mount;
  return std::make_optional(SharedFile{path, std::move(mount)});
}

OutcomeOr<std::shared_ptr<SharedMount>> SharedFiles::MountTag(const std::string& tag) {
  if (tag.empty() || tag.size() > kMaxTagBytes) {
    return Invalid("a virtiofs tag has 1 to " + std::to_string(kMaxTagBytes) + " bytes, not \"" + tag + "\"");
  }
  if (auto mounted = roots_[tag].lock()) return mounted;
  if (Outcome loaded = options_.load_modules("virtiofs"); !loaded.ok()) return loaded;
  const std::string point = options_.state_dir + "/shares/" + std::to_string(++last_mount_point_);
  if (Outcome made = MakeDirectories(point); !made.ok()) return made;
  if (::mount(tag.c_str(), point.c_str(), "virtiofs", MS_NODEV, "") != 0) {
    const int error = errno;
    ::rmdir(point.c_str());
    if (error == EINVAL) return std::shared_ptr<SharedMount>();  // No device has this tag yet.
    return SystemFailure("mount the virtiofs share \"" + tag + "\"", error);
  }
  auto mount = std::make_shared<SharedMount>(point);
  roots_[tag] = mount;
  return mount;
}

}  // namespace vcd::guest
