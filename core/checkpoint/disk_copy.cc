// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/disk_copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Between two looks at the context: what the kernel copies, and what is copied here.
constexpr off_t kKernelPieceBytes = 16 << 20;
constexpr size_t kPieceBytes = 256 << 10;

// Of a file system that cannot, or of two.
bool CannotDo(int error) {
  return error == EOPNOTSUPP || error == EXDEV || error == EINVAL || error == ENOSYS || error == ENOTTY ||
         error == EPERM;
}

class Copier {
 public:
  Copier(int from, int to, const CallContext& context) : from_(from), to_(to), context_(context) {}

  absl::Status Run(off_t size) {
    if (::ioctl(to_, FICLONE, from_) == 0) return absl::OkStatus();
    if (!CannotDo(errno)) return PosixError(errno, "share the blocks");
    if (::ftruncate(to_, size) != 0) return PosixError(errno, "set the size");
    for (off_t at = 0; at < size;) {
      const off_t data = ::lseek(from_, at, SEEK_DATA);
      if (data < 0 && errno == ENXIO) break;  // A hole up to the end.
      const off_t hole = data < 0 ? -1 : ::lseek(from_, data, SEEK_HOLE);
      if (hole < 0) return PosixError(errno, "look for data");
      at = std::min(hole, size);
      VCD_RETURN_IF_ERROR(CopyRange(data, at));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CopyRange(off_t at, off_t end) {
    while (at < end) {
      VCD_RETURN_IF_ERROR(context_.Check("copy a disk"));
      VCD_ASSIGN_OR_RETURN(const off_t copied, kernel_copies_ ? CopyInKernel(at, end) : CopyHere(at, end));
      at += copied;
    }
    return absl::OkStatus();
  }

  // How much of it was copied; none when the kernel does not copy between the two.
  absl::StatusOr<off_t> CopyInKernel(off_t at, off_t end) {
    off_t in = at, out = at;
    const ssize_t copied =
        ::copy_file_range(from_, &in, to_, &out, static_cast<size_t>(std::min(end - at, kKernelPieceBytes)), 0);
    if (copied > 0 || (copied < 0 && errno == EINTR)) return std::max<off_t>(copied, 0);
    // Some file systems say that there is nothing where there is.
    if (copied < 0 && !CannotDo(errno)) return PosixError(errno, "copy");
    kernel_copies_ = false;
    return 0;
  }

  absl::StatusOr<off_t> CopyHere(off_t at, off_t end) {
    piece_.resize(kPieceBytes);
    const ssize_t got = ::pread(from_, piece_.data(), static_cast<size_t>(std::min<off_t>(end - at, kPieceBytes)), at);
    if (got < 0 && errno == EINTR) return 0;
    if (got < 0) return PosixError(errno, "read");
    if (got == 0) return absl::DataLossError("it became shorter while it was copied");
    for (ssize_t put = 0; put < got;) {
      const ssize_t written = ::pwrite(to_, piece_.data() + put, static_cast<size_t>(got - put), at + put);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return PosixError(errno, "write");
      put += written;
    }
    return got;
  }

  const int from_;
  const int to_;
  const CallContext& context_;
  bool kernel_copies_ = true;
  std::vector<char> piece_;
};

}  // namespace

absl::Status CopyDisk(const std::string& from, const std::string& to, const CallContext& context) {
  // O_NONBLOCK: a FIFO of that name must not hold us up.
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!source.valid()) return PosixError(errno, absl::StrCat("copy disk ", from, " to ", to));
  return CopyOpenDisk(source.get(), from, to, context);
}

absl::Status CopyOpenDisk(int from, const std::string& name, const std::string& to, const CallContext& context) {
  const std::string step = absl::StrCat("copy disk ", name, " to ", to);
  struct stat info = {};
  if (::fstat(from, &info) != 0) return PosixError(errno, step);
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError(absl::StrCat(step, ": it is no regular file"));
  const UniqueFd copy(::open(to.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!copy.valid()) return PosixError(errno, step);
  absl::Cleanup remove = [&to] { ::unlink(to.c_str()); };
  VCD_RETURN_IF_ERROR(Annotate(Copier(from, copy.get(), context).Run(info.st_size), step));
  std::move(remove).Cancel();
  return absl::OkStatus();
}

}  // namespace vcd
