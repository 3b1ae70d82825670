// SPDX-License-Identifier: Apache-2.0
#include "core/model/rootfs_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Where the superblocks say who they are.
constexpr size_t kErofsMagicOffset = 1024;       // Documentation/filesystems/erofs.rst
constexpr size_t kExtMagicOffset = 1024 + 0x38;  // Documentation/filesystems/ext4/super.rst
constexpr size_t kHeadBytes = 2048;

struct Magic {
  const char* type;
  size_t offset;
  absl::string_view bytes;
};
constexpr Magic kMagics[] = {
    {"erofs", kErofsMagicOffset, "\xe2\xe1\xf5\xe0"},
    {"squashfs", 0, "hsqs"},
    {"xfs", 0, "XFSB"},
    {"ext4", kExtMagicOffset, "\x53\xef"},
};

absl::StatusOr<std::string> ReadHead(int fd, const std::string& path) {
  std::string head(kHeadBytes, '\0');
  size_t filled = 0;
  while (filled < head.size()) {
    const ssize_t count = ::pread(fd, head.data() + filled, head.size() - filled, static_cast<off_t>(filled));
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      return PosixError(errno, absl::StrCat("read ", path));
    }
    filled += static_cast<size_t>(count);
  }
  head.resize(filled);
  return head;
}

}  // namespace

absl::StatusOr<std::string> DetectRootfsImage(const std::string& path) {
  // O_NONBLOCK: opening a FIFO would wait for its writer.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return PosixError(errno, absl::StrCat("open ", path));
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return PosixError(errno, absl::StrCat("look at ", path));
  if (S_ISDIR(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory; use rootfs.directory for it"));
  }
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is neither a file nor a block device"));
  }
  absl::StatusOr<std::string> head = ReadHead(fd.get(), path);
  if (!head.ok()) return head.status();
  if (head->empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": is empty"));
  for (const Magic& magic : kMagics) {
    if (head->size() >= magic.offset + magic.bytes.size() &&
        head->compare(magic.offset, magic.bytes.size(), magic.bytes.data(), magic.bytes.size()) == 0) {
      return std::string(magic.type);
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path,
                   ": holds none of erofs, squashfs, ext4 and xfs; make one, as with mkfs.erofs IMAGE "
                   "DIRECTORY or mkfs.ext4 -d DIRECTORY IMAGE 1g"));
}

absl::Status CheckRootfsDirectory(const std::string& path, const std::string& field) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return InvalidField(field, absl::StrCat(path, ": ", std::strerror(errno)));
  if (S_ISDIR(status.st_mode)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(path, ": is not a directory; use rootfs.image for an image file"));
}

}  // namespace vcd
