// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/checkpoint_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using UniqueDir = std::unique_ptr<DIR, CloseDirectory>;

// What is wrong with a name that cannot be opened; null when it is not the checkpoint's fault.
const char* FaultOf(int error) {
  switch (error) {
    case ELOOP:
      return "is a symbolic link, or behind one, and a checkpoint has none";
    case EXDEV:
      return "leads out of the checkpoint";
    case ENOTDIR:
      return "is no directory, or in what is none";
    default:
      return nullptr;
  }
}

}  // namespace

absl::Status CheckpointUnfit(absl::StatusCode code, const std::string& directory, absl::string_view why) {
  return WithDetail(absl::Status(code, absl::StrCat("checkpoint ", directory, ": ", why)),
                    {v1::ERROR_REASON_CHECKPOINT_UNFIT, {{"directory", directory}}});
}

absl::StatusOr<CheckpointDirectory> CheckpointDirectory::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid()) return CheckpointDirectory(path, std::move(fd));
  if (errno == ENOENT) return absl::NotFoundError(absl::StrCat("checkpoint ", path, ": there is no such directory"));
  if (errno != ENOTDIR) return PosixError(errno, absl::StrCat("open checkpoint ", path));
  return CheckpointUnfit(absl::StatusCode::kFailedPrecondition, path, "is none: it is no directory");
}

absl::Status CheckpointDirectory::Damaged(absl::string_view name, absl::string_view what) const {
  return CheckpointUnfit(absl::StatusCode::kDataLoss, path_, absl::StrCat(name, ": ", what));
}

absl::StatusOr<UniqueFd> CheckpointDirectory::OpenBelow(const std::string& name, int flags) const {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, fd_.get(), name.c_str(), &how, sizeof how)));
  if (fd.valid()) return fd;
  if (const char* fault = FaultOf(errno)) return Damaged(name, fault);
  return PosixError(errno, absl::StrCat("checkpoint ", path_, ": open ", name));
}

absl::StatusOr<CheckpointDirectory::File> CheckpointDirectory::OpenFile(const std::string& name) const {
  // Looked at before it is opened, which a device might notice.
  VCD_ASSIGN_OR_RETURN(const UniqueFd there, OpenBelow(name, O_PATH));
  struct stat info = {};
  if (::fstat(there.get(), &info) != 0) return PosixError(errno, absl::StrCat("checkpoint ", path_, ": ", name));
  if (!S_ISREG(info.st_mode)) return Damaged(name, "is no regular file");
  const std::string again = absl::StrCat("/proc/self/fd/", there.get());
  File file{UniqueFd(::open(again.c_str(), O_RDONLY | O_CLOEXEC)), static_cast<uint64_t>(info.st_size),
            static_cast<uint64_t>(info.st_blocks) * 512};
  if (!file.fd.valid()) return PosixError(errno, absl::StrCat("checkpoint ", path_, ": open ", name));
  return file;
}

absl::StatusOr<std::string> CheckpointDirectory::Read(const std::string& name, uint64_t most_bytes) const {
  VCD_ASSIGN_OR_RETURN(const File file, OpenFile(name));
  const auto too_large = [&] { return Damaged(name, absl::StrCat("is larger than ", most_bytes >> 20, " MiB")); };
  if (file.bytes > most_bytes) return too_large();
  std::string text;
  char piece[16384];
  while (true) {
    const ssize_t got = ::read(file.fd.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return PosixError(errno, absl::StrCat("checkpoint ", path_, ": read ", name));
    if (got == 0) return text;
    text.append(piece, static_cast<size_t>(got));
    // It may grow while it is read.
    if (text.size() > most_bytes) return too_large();
  }
}

absl::Status CheckpointDirectory::CheckHoldsOnly(const std::string& name, const std::set<std::string>& known) const {
  absl::StatusOr<UniqueFd> fd = OpenBelow(name, O_RDONLY | O_DIRECTORY);
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(fd.status());
  const UniqueDir directory(::fdopendir(fd->get()));
  if (directory == nullptr) return PosixError(errno, absl::StrCat("checkpoint ", path_, ": list ", name));
  fd->Release();
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr && errno != 0) return PosixError(errno, absl::StrCat("checkpoint ", path_, ": list ", name));
    if (entry == nullptr) return absl::OkStatus();
    const absl::string_view entry_name = entry->d_name;
    if (entry_name == "." || entry_name == "..") continue;
    const std::string file = absl::StrCat(name, "/", entry_name);
    if (known.count(file) == 0) return Damaged(file, "is not in the manifest");
  }
}

}  // namespace vcd
