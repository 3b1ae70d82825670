// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/image_digest.h"
#include "core/os/posix_filesystem.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

constexpr int kFormat = 2;
constexpr size_t kPageBytes = 4096;
constexpr size_t kPieceBytes = 256 << 10;
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

std::string StatePath(const std::string& directory) { return directory + "/state"; }
std::string MemoryPath(const std::string& directory) { return directory + "/memory"; }
std::string ManifestPath(const std::string& directory) { return directory + "/manifest.json"; }

bool IsZero(const char* page, size_t size) {
  return size == 0 || (page[0] == 0 && std::memcmp(page, page + 1, size - 1) == 0);
}

absl::Status ReadAt(int fd, char* data, size_t size, off_t at) {
  while (size > 0) {
    const ssize_t got = ::pread(fd, data, size, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return PosixError(errno, "read");
    if (got == 0) return absl::DataLossError("read: the file is shorter than it was");
    data += got;
    at += got;
    size -= static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status WriteAt(int fd, const char* data, size_t size, off_t at) {
  while (size > 0) {
    const ssize_t put = ::pwrite(fd, data, size, at);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return PosixError(errno, "write");
    data += put;
    at += put;
    size -= static_cast<size_t>(put);
  }
  return absl::OkStatus();
}

// Copies what is not zero between two files of one size, the second of which is empty, or nowhere (-1). `digest`, if
// there is one, gets all of it with its place, however the holes of the files lie.
absl::Status CopyPages(int from, int to, off_t size, ImageDigest* digest, const CallContext& context) {
  std::vector<char> piece(kPieceBytes);
  off_t at = 0;
  while (at < size) {
    VCD_RETURN_IF_ERROR(context.Check("read a machine's image"));
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // A hole up to the end.
    if (data < 0) return PosixError(errno, "look for data");
    // Whole pages, whatever the file system's blocks are.
    at = std::max<off_t>(at, data / static_cast<off_t>(kPageBytes) * static_cast<off_t>(kPageBytes));
    const size_t length = static_cast<size_t>(std::min<off_t>(size - at, kPieceBytes));
    VCD_RETURN_IF_ERROR(ReadAt(from, piece.data(), length, at));
    for (size_t page = 0; page < length;) {
      size_t end = page;
      while (end < length && !IsZero(&piece[end], std::min(kPageBytes, length - end))) end += kPageBytes;
      end = std::min(end, length);
      for (size_t hashed = page; digest != nullptr && hashed < end; hashed += kPageBytes) {
        const uint64_t place = static_cast<uint64_t>(at) + hashed;
        digest->Add(&place, sizeof place);
        digest->Add(&piece[hashed], std::min(kPageBytes, end - hashed));
      }
      if (to >= 0) VCD_RETURN_IF_ERROR(WriteAt(to, &piece[page], end - page, at + static_cast<off_t>(page)));
      page = std::max(end, page + kPageBytes);
    }
    at += static_cast<off_t>(length);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SizeOf(int fd) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return PosixError(errno, "fstat");
  return static_cast<uint64_t>(info.st_size);
}

absl::StatusOr<UniqueFd> OpenFile(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid()) return PosixError(errno, absl::StrCat("open ", path));
  return file;
}

absl::StatusOr<UniqueFd> MakeMemfd(const char* name, uint64_t bytes) {
  UniqueFd memory(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid() || ::ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0) {
    return PosixError(errno, absl::StrCat("make a memory of ", bytes, " bytes"));
  }
  return memory;
}

// Another opening of the same file, with a position of its own.
absl::StatusOr<UniqueFd> Reopen(const UniqueFd& file, int flags) {
  UniqueFd again(::open(absl::StrCat("/proc/self/fd/", file.get()).c_str(), flags | O_CLOEXEC));
  if (!again.valid()) return PosixError(errno, "open a machine's image again");
  return again;
}

// What the manifest says of a file.
struct Part {
  uint64_t bytes = 0;
  std::string sha256;
};

// A part of an image, of the size that it is to have.
absl::StatusOr<UniqueFd> OpenPart(const std::string& path, const Part& part) {
  absl::StatusOr<UniqueFd> file = OpenFile(path);
  if (absl::IsNotFound(file.status())) return absl::DataLossError(absl::StrCat(path, ": is missing"));
  VCD_RETURN_IF_ERROR(file.status());
  VCD_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(file->get()));
  if (size == part.bytes) return file;
  return absl::DataLossError(absl::StrCat(path, ": has ", size, " bytes instead of ", part.bytes));
}

// A part of an image, checked against its size and digest: in memory and sealed, or the file itself.
absl::StatusOr<UniqueFd> LoadPart(const std::string& path, const Part& part, bool in_memory,
                                  const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(UniqueFd file, OpenPart(path, part));
  UniqueFd copy;
  if (in_memory) {
    VCD_ASSIGN_OR_RETURN(copy, MakeMemfd("vcd-image", part.bytes));
  }
  ImageDigest digest;
  VCD_RETURN_IF_ERROR(
      Annotate(CopyPages(file.get(), copy.get(), static_cast<off_t>(part.bytes), &digest, context), path));
  VCD_ASSIGN_OR_RETURN(const std::string found, digest.Finish());
  if (found != part.sha256) return absl::DataLossError(absl::StrCat(path, ": is not what was written"));
  if (!in_memory) return file;
  if (::fcntl(copy.get(), F_ADD_SEALS, kSeals) != 0) return PosixError(errno, absl::StrCat("seal ", path));
  return copy;
}

// Null where there is none, or what is there is something else.
std::optional<Part> PartOf(const json& manifest, const char* name) {
  const auto found = manifest.find(name);
  if (found == manifest.end() || !found->is_object() || !found->contains("bytes") || !found->contains("sha256") ||
      !(*found)["bytes"].is_number_unsigned() || !(*found)["sha256"].is_string()) {
    return std::nullopt;
  }
  return Part{(*found)["bytes"].get<uint64_t>(), (*found)["sha256"].get<std::string>()};
}

std::optional<QemuImage::Machine> MachineOf(const json& manifest) {
  const auto found = manifest.find("machine");
  if (found == manifest.end() || !found->is_object()) return std::nullopt;
  for (const char* name : {"shares_memory", "file_server_port"}) {
    if (!found->contains(name) || !(*found)[name].is_boolean()) return std::nullopt;
  }
  if (!found->contains("memory_bytes") || !(*found)["memory_bytes"].is_number_unsigned()) return std::nullopt;
  QemuImage::Machine machine{(*found)["memory_bytes"].get<uint64_t>(),
                             (*found)["shares_memory"].get<bool>(),
                             (*found)["file_server_port"].get<bool>(),
                             {}};
  const json nics = found->value("nics", json::array());
  if (!nics.is_array()) return std::nullopt;
  for (const json& nic : nics) {
    std::optional<SavedNic> decoded = DecodeSavedNic(nic);
    if (!decoded.has_value()) return std::nullopt;
    machine.nics.push_back(*std::move(decoded));
  }
  return machine;
}

struct Manifest {
  QemuImage::Machine machine;
  Part state;
  std::optional<Part> memory;
};

absl::StatusOr<Manifest> ReadManifest(const std::string& directory) {
  const std::string path = ManifestPath(directory);
  PosixFilesystem filesystem;
  absl::StatusOr<std::string> text = filesystem.ReadFile(path);
  if (absl::IsNotFound(text.status())) return absl::DataLossError(absl::StrCat(path, ": is missing"));
  VCD_RETURN_IF_ERROR(text.status());
  const json manifest = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object() || !manifest.contains("format") || manifest["format"] != kFormat) {
    return absl::DataLossError(absl::StrCat(path, ": is no manifest of format ", kFormat));
  }
  const std::optional<QemuImage::Machine> machine = MachineOf(manifest);
  const std::optional<Part> state = PartOf(manifest, "state");
  const std::optional<Part> memory = PartOf(manifest, "memory");
  if (!machine.has_value() || !state.has_value() || memory.has_value() != machine->shares_memory ||
      (memory.has_value() && memory->bytes != machine->memory_bytes)) {
    return absl::DataLossError(absl::StrCat(path, ": does not say what the image is"));
  }
  return Manifest{*machine, *state, memory};
}

// The digest of a part that was written, which is on the disk afterwards.
absl::StatusOr<json> DescribePart(int fd, ImageDigest& digest) {
  if (::fsync(fd) != 0) return PosixError(errno, "fsync");
  VCD_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(fd));
  VCD_ASSIGN_OR_RETURN(const std::string sha256, digest.Finish());
  return json{{"bytes", size}, {"sha256", sha256}};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const QemuImage>> QemuImage::Load(const std::string& directory,
                                                                 const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(directory));
  UniqueFd memory;
  if (manifest.memory.has_value()) {
    VCD_ASSIGN_OR_RETURN(memory, LoadPart(MemoryPath(directory), *manifest.memory, /*in_memory=*/true, context));
  }
  const bool in_memory = manifest.machine.shares_memory;
  VCD_ASSIGN_OR_RETURN(UniqueFd state, LoadPart(StatePath(directory), manifest.state, in_memory, context));
  return std::shared_ptr<const QemuImage>(new QemuImage(std::move(memory), std::move(state), manifest.machine));
}

absl::StatusOr<QemuImage::Machine> QemuImage::Look(const std::string& directory) {
  VCD_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(directory));
  if (manifest.memory.has_value()) {
    VCD_RETURN_IF_ERROR(OpenPart(MemoryPath(directory), *manifest.memory).status());
  }
  VCD_RETURN_IF_ERROR(OpenPart(StatePath(directory), manifest.state).status());
  return manifest.machine;
}

// QEMU opens its memory for writing, also when it maps it privately; the seal holds all the same.
absl::StatusOr<UniqueFd> QemuImage::OpenMemory() const { return Reopen(memory_, O_RDWR); }

absl::StatusOr<UniqueFd> QemuImage::CopyMemory(const CallContext& context) const {
  VCD_ASSIGN_OR_RETURN(UniqueFd copy, MakeGuestMemory(machine_.memory_bytes));
  VCD_ASSIGN_OR_RETURN(const UniqueFd memory, Reopen(memory_, O_RDONLY));
  VCD_RETURN_IF_ERROR(
      Annotate(CopyPages(memory.get(), copy.get(), static_cast<off_t>(machine_.memory_bytes), nullptr, context),
               "copy the memory of an image"));
  return copy;
}

absl::StatusOr<UniqueFd> QemuImage::OpenState() const { return Reopen(state_, O_RDONLY); }

absl::StatusOr<UniqueFd> CreateImageState(const std::string& directory) {
  const std::string path = StatePath(directory);
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return PosixError(errno, absl::StrCat("make ", path));
  return file;
}

absl::Status CompleteImage(const std::string& directory, const QemuImage::Machine& machine, int memory_fd,
                           const CallContext& context) {
  json manifest = {{"format", kFormat},
                   {"machine",
                    {{"memory_bytes", machine.memory_bytes},
                     {"shares_memory", machine.shares_memory},
                     {"file_server_port", machine.file_server_port},
                     {"nics", json::array()}}}};
  for (const SavedNic& nic : machine.nics) manifest["machine"]["nics"].push_back(EncodeSavedNic(nic));
  VCD_ASSIGN_OR_RETURN(const UniqueFd state, OpenFile(StatePath(directory)));
  VCD_ASSIGN_OR_RETURN(const uint64_t state_bytes, SizeOf(state.get()));
  ImageDigest state_digest;
  VCD_RETURN_IF_ERROR(
      Annotate(CopyPages(state.get(), /*to=*/-1, static_cast<off_t>(state_bytes), &state_digest, context),
               StatePath(directory)));
  VCD_ASSIGN_OR_RETURN(manifest["state"], DescribePart(state.get(), state_digest));
  if (machine.shares_memory) {
    const std::string path = MemoryPath(directory);
    const UniqueFd memory(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    const off_t bytes = static_cast<off_t>(machine.memory_bytes);
    if (!memory.valid() || ::ftruncate(memory.get(), bytes) != 0) return PosixError(errno, absl::StrCat("make ", path));
    ImageDigest digest;
    VCD_RETURN_IF_ERROR(Annotate(CopyPages(memory_fd, memory.get(), bytes, &digest, context), path));
    VCD_ASSIGN_OR_RETURN(manifest["memory"], DescribePart(memory.get(), digest));
  }
  PosixFilesystem filesystem;
  return filesystem.ReplaceFile(ManifestPath(directory), absl::StrCat(manifest.dump(2), "\n"));
}

absl::StatusOr<UniqueFd> MakeGuestMemory(uint64_t bytes) { return MakeMemfd("vcd-guest", bytes); }

absl::StatusOr<std::shared_ptr<const QemuImage>> QemuImages::Get(const std::string& directory, bool keep,
                                                                 const CallContext& context) {
  // Nobody else wants it, or is to wait for it.
  if (!keep) return QemuImage::Load(directory, context);
  MutexLock lock(&mu_);
  const auto known = images_.find(directory);
  if (known != images_.end()) return known->second;
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<const QemuImage> image, QemuImage::Load(directory, context));
  images_[directory] = image;
  return image;
}

void QemuImages::Forget(const std::string& directory) {
  MutexLock lock(&mu_);
  images_.erase(directory);
}

}  // namespace vcd
