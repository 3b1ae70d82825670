// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/archive_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/tar_format.h"

namespace vcd::guest {
namespace {

// Of a file whose size is known only once it was read, which is kept until then.
constexpr size_t kMaxSizelessBytes = size_t{1} << 20;

// File systems whose files are the kernel's answers: they have no size, and no end.
bool IsKernelFilesystem(int fd) {
  struct statfs status {};
  if (::fstatfs(fd, &status) != 0) return false;
  switch (static_cast<uint32_t>(status.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
      return true;
    default:
      return false;
  }
}

OutcomeOr<std::string> ReadLink(int directory, const std::string& name, const std::string& shown) {
  std::vector<char> target(4097);
  const ssize_t size = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (size < 0) return SystemFailure("read the link " + shown);
  return std::string(target.data(), static_cast<size_t>(size));
}

class Packer {
 public:
  Packer(const PackOptions& options, int out) : options_(options), out_(out) {}

  // Packs `name` of `directory`, as `entry_name`.
  Outcome Pack(int directory, const std::string& name, const std::string& entry_name) {
    struct stat status {};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? Outcome() : SystemFailure("look at " + entry_name);
    }
    TarEntry entry;
    entry.name = entry_name;
    entry.mode = status.st_mode & 07777;
    entry.uid = status.st_uid;
    entry.gid = status.st_gid;
    entry.mtime_seconds = status.st_mtim.tv_sec;
    entry.mtime_nanoseconds = static_cast<uint32_t>(status.st_mtim.tv_nsec);
    switch (status.st_mode & S_IFMT) {
      case S_IFREG:
        return PackFile(directory, name, status, &entry);
      case S_IFDIR:
        return PackDirectory(directory, name, &entry);
      case S_IFLNK: {
        OutcomeOr<std::string> target = ReadLink(directory, name, entry_name);
        if (!target.ok()) return target.outcome();
        entry.type = TarType::kSymlink;
        entry.link = *std::move(target);
        return Write(FormatTarEntry(entry));
      }
      case S_IFIFO:
        entry.type = TarType::kFifo;
        return Write(FormatTarEntry(entry));
      case S_IFCHR:
      case S_IFBLK:
        entry.type = S_ISCHR(status.st_mode) ? TarType::kCharDevice : TarType::kBlockDevice;
        entry.device_major = major(status.st_rdev);
        entry.device_minor = minor(status.st_rdev);
        return Write(FormatTarEntry(entry));
      default:
        return Outcome();
    }
  }

  Outcome Finish() {
    if (Outcome ended = Write(std::string(kTarEndSize, '\0')); !ended.ok()) return ended;
    if (changed_.empty()) return Outcome();
    return Outcome(ErrorCode::ERROR_CODE_SYSTEM, changed_ + " became shorter while it was read; copy it again");
  }

 private:
  Outcome PackFile(int directory, const std::string& name, const struct stat& before, TarEntry* entry) {
    const auto key = std::make_pair(before.st_dev, before.st_ino);
    if (before.st_nlink > 1) {
      const auto known = linked_.find(key);
      if (known != linked_.end()) {
        entry->type = TarType::kHardLink;
        entry->link = known->second;
        return Write(FormatTarEntry(*entry));
      }
    }
    if (options_.stat_only) return Write(FormatTarEntry(*entry));
    // Should a pipe have taken its place it does not block.
    const UniqueFd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.valid()) return errno == ENOENT ? Outcome() : SystemFailure("open " + entry->name);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return SystemFailure("look at " + entry->name);
    if (!S_ISREG(status.st_mode)) return Outcome();  // Another one has come in its place.
    entry->size = static_cast<uint64_t>(status.st_size);
    if (before.st_nlink > 1) linked_.emplace(key, entry->name);
    if (entry->size == 0) return PackWhole(file.get(), entry);
    if (Outcome written = Write(FormatTarEntry(*entry)); !written.ok()) return written;
    return CopyContent(file.get(), *entry);
  }

  // A file that says it is empty: what the kernel makes up in /proc has its size only once it was read.
  Outcome PackWhole(int file, TarEntry* entry) {
    std::string whole;
    while (true) {
      buffer_.resize(4096);
      const ssize_t got = ::read(file, buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemFailure("read " + entry->name);
      if (got == 0) break;
      whole.append(buffer_, 0, static_cast<size_t>(got));
      if (whole.size() > kMaxSizelessBytes) {
        return Outcome(ErrorCode::ERROR_CODE_SYSTEM,
                       entry->name + " does not say how long it is, and is longer than 1 MiB; read it with a program");
      }
    }
    entry->size = whole.size();
    if (Outcome written = Write(FormatTarEntry(*entry)); !written.ok()) return written;
    return Write(whole + std::string(TarPadding(entry->size), '\0'));
  }

  // So many bytes as the header says: what grew is cut, what shrank is filled with zeros, and told in the end.
  Outcome CopyContent(int file, const TarEntry& entry) {
    std::string& buffer = buffer_;
    for (uint64_t left = entry.size; left > 0;) {
      buffer.resize(static_cast<size_t>(std::min<uint64_t>(left, 128 << 10)));
      const ssize_t got = ::read(file, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemFailure("read " + entry.name);
      if (got == 0) {
        changed_ = entry.name;
        std::fill(buffer.begin(), buffer.end(), '\0');
      } else {
        buffer.resize(static_cast<size_t>(got));
      }
      left -= buffer.size();
      if (Outcome written = Write(buffer); !written.ok()) return written;
    }
    return Write(std::string(TarPadding(entry.size), '\0'));
  }

  Outcome PackDirectory(int parent, const std::string& name, TarEntry* entry) {
    entry->type = TarType::kDirectory;
    const std::string prefix = entry->name == "." ? "./" : entry->name + "/";
    entry->name = prefix;
    if (options_.stat_only) return Write(FormatTarEntry(*entry));
    const int fd = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? Outcome() : SystemFailure("open " + entry->name);
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd), ::closedir);
    if (Outcome written = Write(FormatTarEntry(*entry)); !written.ok()) return written;
    const bool is_kernels = IsKernelFilesystem(fd);
    if (!began_) began_kernels_ = is_kernels;
    began_ = true;
    if (is_kernels && !began_kernels_) return Outcome();
    while (true) {
      errno = 0;
      const dirent* const item = ::readdir(directory.get());
      if (item == nullptr) return errno == 0 ? Outcome() : SystemFailure("list " + entry->name);
      const std::string item_name = item->d_name;
      if (item_name == "." || item_name == "..") continue;
      if (Outcome packed = Pack(fd, item_name, prefix + item_name); !packed.ok()) return packed;
    }
  }

  Outcome Write(const std::string& bytes) {
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t wrote = ::write(out_, bytes.data() + done, bytes.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return SystemFailure("write the archive");
      done += static_cast<size_t>(wrote);
    }
    return Outcome();
  }

  const PackOptions options_;
  const int out_;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // Files with several names, and the first one packed.
  std::string buffer_;
  std::string changed_;
  bool began_ = false;
  bool began_kernels_ = false;
};

}  // namespace

Outcome PackArchive(const std::string& path, const PackOptions& options, int out) {
  struct stat status {};
  const int looked = options.follow_symlink ? ::stat(path.c_str(), &status) : ::lstat(path.c_str(), &status);
  if (looked != 0) {
    const auto code =
        errno == ENOENT || errno == ENOTDIR ? ErrorCode::ERROR_CODE_NOT_FOUND : ErrorCode::ERROR_CODE_SYSTEM;
    return Outcome(code, SystemFailure(path).message());
  }
  std::string target = path;
  if (options.follow_symlink) {
    const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr), ::free);
    if (resolved == nullptr) return SystemFailure(path);
    target = resolved.get();
  }
  // The entry is called as it was asked for, also when it is a link to something else.
  const auto last_name = [](std::string text) {
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    const std::string name = text.substr(text.rfind('/') + 1);
    return name.empty() ? "." : name;
  };
  const std::string name = last_name(path);
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  const std::string parent = target.substr(0, target.rfind('/') + 1);
  const UniqueFd directory(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return SystemFailure("open " + parent);
  Packer packer(options, out);
  const std::string entry_name = name == ".." ? last_name(target) : name;
  if (Outcome packed = packer.Pack(directory.get(), last_name(target), entry_name); !packed.ok()) return packed;
  return packer.Finish();
}

}  // namespace vcd::guest
