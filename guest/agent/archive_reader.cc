// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/archive_reader.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/tar_format.h"

namespace vcd::guest {
namespace {

// The parts of a name, without "." and empty ones.
OutcomeOr<std::vector<std::string>> SplitName(const std::string& name) {
  if (!name.empty() && name[0] == '/') return Invalid("the archive has an absolute name: \"" + name + "\"");
  std::vector<std::string> parts;
  for (size_t at = 0; at <= name.size();) {
    const size_t slash = std::min(name.find('/', at), name.size());
    std::string part = name.substr(at, slash - at);
    if (part == "..") return Invalid("the archive has a name that leads out of it: \"" + name + "\"");
    if (!part.empty() && part != ".") parts.push_back(std::move(part));
    at = slash + 1;
  }
  return parts;
}

// Opens a path below `directory` that no ".." and no symbolic link leads out of.
UniqueFd OpenBeneath(int directory, const std::string& path, uint64_t flags, uint64_t resolve = 0) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how))));
}

timespec TimeOf(const TarEntry& entry) {
  timespec time{};
  time.tv_sec = entry.mtime_seconds;
  time.tv_nsec = entry.mtime_nanoseconds;
  return time;
}

class Unpacker {
 public:
  Unpacker(UniqueFd base, const UnpackOptions& options) : base_(std::move(base)), options_(options) {}

  Outcome Unpack(const TarEntry& entry, TarReader* content) {
    OutcomeOr<std::vector<std::string>> parts = SplitName(entry.name);
    if (!parts.ok()) return parts.outcome();
    if (parts->empty()) {
      // The directory itself, which is there and keeps what it is.
      return entry.type == TarType::kDirectory ? Outcome() : Invalid("the archive has a file without a name");
    }
    const std::string leaf = std::move(parts->back());
    parts->pop_back();
    OutcomeOr<UniqueFd> parent = OpenParent(*parts, entry.name);
    if (!parent.ok()) return parent.outcome();
    const int directory = (*parent).get();
    if (entry.type == TarType::kDirectory) return MakeDirectory(directory, leaf, entry);
    if (entry.type == TarType::kCharDevice || entry.type == TarType::kBlockDevice) {
      // Said at the end, and nothing else is left out for it.
      if (device_nodes_++ == 0) first_device_node_ = entry.name;
      return Outcome();
    }
    // Never through what is there: a link that has the name is replaced, and not followed.
    if (::unlinkat(directory, leaf.c_str(), 0) != 0 && errno != ENOENT) {
      return errno == EISDIR || errno == EPERM
                 ? Invalid("\"" + entry.name + "\" is a directory in the container, and none in the archive")
                 : SystemFailure("replace " + entry.name);
    }
    switch (entry.type) {
      case TarType::kFile:
        return MakeFile(directory, leaf, entry, content);
      case TarType::kHardLink:
        return MakeHardLink(directory, leaf, entry);
      case TarType::kSymlink:
        if (::symlinkat(entry.link.c_str(), directory, leaf.c_str()) != 0)
          return SystemFailure("make the link " + entry.name);
        return SetLinkAttributes(directory, leaf, entry);
      case TarType::kFifo:
        if (::mkfifoat(directory, leaf.c_str(), 0600) != 0) return SystemFailure("make the pipe " + entry.name);
        return SetPipeAttributes(directory, leaf, entry);
      default:
        return Invalid("the archive has something of an unknown kind: \"" + entry.name + "\"");
    }
  }

  // Also after a failure, so that what was unpacked can be used. Directories last: what is made in them changes their
  // times, and their permissions may forbid it.
  Outcome Finish() {
    while (!directories_.empty()) {
      const TarEntry entry = std::move(directories_.back());
      directories_.pop_back();
      const UniqueFd directory = OpenBeneath(base_.get(), entry.name, O_RDONLY | O_DIRECTORY);
      // Somebody has taken it away again.
      if (!directory.valid()) continue;
      if (Outcome set = SetAttributes(directory.get(), entry); !set.ok()) return set;
    }
    if (device_nodes_ == 0) return Outcome();
    return Invalid("all was unpacked but the archive's device nodes, which are not made: \"" + first_device_node_ +
                   "\"" + (device_nodes_ == 1 ? "" : " and " + std::to_string(device_nodes_ - 1) + " more"));
  }

 private:
  // The directory that an entry is in; made where it is missing, as archives may leave directories out.
  OutcomeOr<UniqueFd> OpenParent(const std::vector<std::string>& parts, const std::string& shown) {
    std::string path = ".";
    for (const std::string& part : parts) path += "/" + part;
    UniqueFd parent = OpenBeneath(base_.get(), path, O_PATH | O_DIRECTORY);
    if (!parent.valid() && errno == ENOENT) {
      path = ".";
      for (const std::string& part : parts) {
        const UniqueFd above = OpenBeneath(base_.get(), path, O_PATH | O_DIRECTORY);
        if (!above.valid()) return ParentFailure(shown);
        if (::mkdirat(above.get(), part.c_str(), 0755) != 0 && errno != EEXIST) {
          return SystemFailure("make the directory of " + shown);
        }
        path += "/" + part;
      }
      parent = OpenBeneath(base_.get(), path, O_PATH | O_DIRECTORY);
    }
    if (!parent.valid()) return ParentFailure(shown);
    return parent;
  }

  static Outcome ParentFailure(const std::string& shown) {
    if (errno == EXDEV) return Invalid("\"" + shown + "\" would leave the directory, by a symbolic link that is there");
    if (errno == ENOTDIR || errno == ELOOP)
      return Invalid("\"" + shown + "\" goes through something that is no directory");
    return SystemFailure("open the directory of " + shown);
  }

  Outcome MakeDirectory(int parent, const std::string& leaf, const TarEntry& entry) {
    if (::mkdirat(parent, leaf.c_str(), 0700) != 0) {
      if (errno != EEXIST) return SystemFailure("make the directory " + entry.name);
      // Also a link to one that is below the base, such as /lib.
      if (!OpenBeneath(base_.get(), entry.name, O_PATH | O_DIRECTORY).valid()) {
        return Invalid("\"" + entry.name + "\" is a directory in the archive, and none in the container");
      }
    }
    directories_.push_back(entry);
    return Outcome();
  }

  Outcome MakeFile(int parent, const std::string& leaf, const TarEntry& entry, TarReader* content) {
    const UniqueFd file(::openat(parent, leaf.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.valid()) return SystemFailure("make the file " + entry.name);
    buffer_.resize(128 << 10);
    while (true) {
      OutcomeOr<size_t> got = content->Read(buffer_.data(), buffer_.size());
      if (!got.ok()) return Discard(parent, leaf, got.outcome());
      if (*got == 0) return SetAttributes(file.get(), entry);
      for (size_t done = 0; done < *got;) {
        const ssize_t wrote = ::write(file.get(), buffer_.data() + done, *got - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return Discard(parent, leaf, SystemFailure("write " + entry.name));
        done += static_cast<size_t>(wrote);
      }
    }
  }

  // Half a file is not left for a whole one, nor on a disk that it has filled.
  static Outcome Discard(int parent, const std::string& leaf, Outcome cause) {
    ::unlinkat(parent, leaf.c_str(), 0);
    return cause;
  }

  // To another entry of the archive, hence also below the base.
  Outcome MakeHardLink(int parent, const std::string& leaf, const TarEntry& entry) {
    OutcomeOr<std::vector<std::string>> parts = SplitName(entry.link);
    if (!parts.ok()) return parts.outcome();
    if (parts->empty()) return Invalid("the archive has a link to nothing: \"" + entry.name + "\"");
    const std::string target = std::move(parts->back());
    parts->pop_back();
    std::string path = ".";
    for (const std::string& part : *parts) path += "/" + part;
    const UniqueFd directory = OpenBeneath(base_.get(), path, O_PATH | O_DIRECTORY);
    if (!directory.valid()) return ParentFailure(entry.link);
    if (::linkat(directory.get(), target.c_str(), parent, leaf.c_str(), 0) == 0) return Outcome();
    return errno == ENOENT
               ? Invalid("the archive links \"" + entry.name + "\" to \"" + entry.link + "\", which is not there")
               : SystemFailure("link " + entry.name + " to " + entry.link);
  }

  // The owner first: to change it takes special permissions away.
  Outcome SetAttributes(int fd, const TarEntry& entry) {
    if (options_.keep_owner && ::fchown(fd, entry.uid, entry.gid) != 0)
      return SystemFailure("set the owner of " + entry.name);
    if (::fchmod(fd, entry.mode) != 0) return SystemFailure("set the permissions of " + entry.name);
    const timespec times[2] = {{0, UTIME_OMIT}, TimeOf(entry)};
    return ::futimens(fd, times) == 0 ? Outcome() : SystemFailure("set the time of " + entry.name);
  }

  Outcome SetLinkAttributes(int parent, const std::string& leaf, const TarEntry& entry) {
    if (options_.keep_owner && ::fchownat(parent, leaf.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
      return SystemFailure("set the owner of " + entry.name);
    }
    const timespec times[2] = {{0, UTIME_OMIT}, TimeOf(entry)};
    if (::utimensat(parent, leaf.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0) return Outcome();
    return SystemFailure("set the time of " + entry.name);
  }

  Outcome SetPipeAttributes(int parent, const std::string& leaf, const TarEntry& entry) {
    const UniqueFd pipe(::openat(parent, leaf.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (!pipe.valid()) return SystemFailure("open the pipe " + entry.name);
    return SetAttributes(pipe.get(), entry);
  }

  const UniqueFd base_;
  const UnpackOptions options_;
  std::vector<TarEntry> directories_;
  size_t device_nodes_ = 0;
  std::string first_device_node_;
  std::string buffer_;
};

}  // namespace

Outcome UnpackArchive(const std::string& path, const UnpackOptions& options, int in) {
  UniqueFd base(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!base.valid()) {
    const auto code =
        errno == ENOENT || errno == ENOTDIR ? ErrorCode::ERROR_CODE_NOT_FOUND : ErrorCode::ERROR_CODE_SYSTEM;
    return Outcome(code, SystemFailure(path).message());
  }
  ::umask(0);
  Unpacker unpacker(std::move(base), options);
  TarReader archive([in](char* buffer, size_t size) { return ::read(in, buffer, size); });
  while (true) {
    TarEntry entry;
    OutcomeOr<bool> more = archive.Next(&entry);
    if (!more.ok()) return more.outcome();
    if (!*more) return unpacker.Finish();
    if (Outcome unpacked = unpacker.Unpack(entry, &archive); !unpacked.ok()) {
      (void)unpacker.Finish();
      return unpacked;
    }
  }
}

}  // namespace vcd::guest
