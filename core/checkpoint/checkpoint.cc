// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/checkpoint.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/asset/file_hash.h"
#include "core/checkpoint/checkpoint_directory.h"
#include "core/checkpoint/checkpoint_manifest.h"
#include "core/checkpoint/disk_copy.h"
#include "core/log/logger.h"
#include "core/os/unique_fd.h"
#include "core/state/state_codec.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kMaking[] = ".making-";
constexpr char kManifest[] = "manifest.json";
constexpr char kConfig[] = "pod.json";
constexpr char kRecord[] = "record.json";
constexpr char kImage[] = "image";
constexpr char kDisks[] = "disks";
constexpr char kLock[] = "lock";
// Of a path's last part, and what is put behind it.
constexpr size_t kMaxNameBytes = 255 - sizeof(kMaking) - 32;
// More than any has: what is beyond is no checkpoint, and must not take the daemon's memory.
constexpr uint64_t kMaxManifestBytes = 4 << 20;
constexpr uint64_t kMaxTextBytes = 64 << 20;

std::string Below(const std::string& directory, absl::string_view name) { return absl::StrCat(directory, "/", name); }

// Removes what makers of the directory left that hold no lock any more.
void RemoveAbandoned(Filesystem& filesystem, const std::string& directory) {
  const std::string parent = ParentDirectory(directory);
  const std::string prefix = absl::StrCat(directory.substr(directory.rfind('/') + 1), kMaking);
  const absl::StatusOr<std::vector<std::string>> names = filesystem.ListDirectory(parent);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, prefix)) continue;
    const std::string path = Below(parent == "/" ? "" : parent, name);
    const absl::StatusOr<FileLock> lock =
        FileLock::Acquire(Below(path, kLock), FileLockMode::kExclusive, /*nonblocking=*/true);
    if (!lock.ok()) continue;
    const absl::Status removed = filesystem.RemoveTree(path);
    LogInfo("", absl::StrCat(path, ": half a checkpoint of a daemon that ended: ",
                             removed.ok() ? "removed" : removed.message()));
  }
}

// A file of the checkpoint, on the disk, as its manifest is to have it.
absl::StatusOr<CheckpointFile> Describe(Filesystem& filesystem, const std::string& path, const std::string& name,
                                        const CallContext& context) {
  VCD_RETURN_IF_ERROR(filesystem.SyncFile(Below(path, name)));
  VCD_ASSIGN_OR_RETURN(const CheckpointDirectory directory, CheckpointDirectory::Open(path));
  VCD_ASSIGN_OR_RETURN(const CheckpointDirectory::File file, directory.OpenFile(name));
  VCD_ASSIGN_OR_RETURN(std::string digest, HashFile(file.fd.get(), Below(path, name), HashKind::kSha256, context));
  return CheckpointFile{name, file.bytes, std::move(digest)};
}

// A file of the checkpoint, open and of the size that the manifest tells.
absl::StatusOr<CheckpointDirectory::File> OpenExpected(const CheckpointDirectory& directory,
                                                       const CheckpointFile& expected) {
  absl::StatusOr<CheckpointDirectory::File> file = directory.OpenFile(expected.path);
  if (absl::IsNotFound(file.status())) return directory.Damaged(expected.path, "is missing");
  VCD_RETURN_IF_ERROR(file.status());
  if (file->bytes == expected.bytes) return file;
  return directory.Damaged(expected.path, absl::StrCat("has ", file->bytes, " bytes instead of ", expected.bytes));
}

// The file, whose content is what the manifest tells.
absl::StatusOr<UniqueFd> Verify(const CheckpointDirectory& directory, const CheckpointFile& expected,
                                const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(CheckpointDirectory::File file, OpenExpected(directory, expected));
  const absl::StatusOr<std::string> digest = HashFile(file.fd.get(), expected.path, HashKind::kSha256, context);
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("read ", expected.path, " of the checkpoint")));
  if (!digest.ok()) return directory.Damaged(expected.path, digest.status().message());
  if (*digest != expected.digest) return directory.Damaged(expected.path, "is not what was written");
  return std::move(file.fd);
}

// Reads a small file and checks that these are the bytes that the manifest tells.
absl::StatusOr<std::string> ReadVerified(const CheckpointDirectory& directory, const CheckpointFile& expected) {
  VCD_RETURN_IF_ERROR(OpenExpected(directory, expected).status());
  VCD_ASSIGN_OR_RETURN(std::string text, directory.Read(expected.path, kMaxTextBytes));
  VCD_ASSIGN_OR_RETURN(const std::string digest, HashBytes(text, HashKind::kSha256));
  if (digest != expected.digest) return directory.Damaged(expected.path, "is not what was written");
  return text;
}

// That the manifest tells of all that a checkpoint has, and nothing else is where its parts are looked for.
absl::Status CheckComplete(const CheckpointDirectory& directory, const CheckpointManifest& manifest) {
  std::set<std::string> known;
  bool image = false;
  for (const CheckpointFile& file : manifest.files) {
    known.insert(file.path);
    image |= absl::StartsWith(file.path, Below(kImage, ""));
  }
  for (const char* name : {kConfig, kRecord}) {
    if (known.count(name) == 0) return directory.Damaged(kManifest, absl::StrCat("tells of no ", name));
  }
  if (!image) return directory.Damaged(kManifest, absl::StrCat("tells of no file in ", kImage));
  VCD_RETURN_IF_ERROR(directory.CheckHoldsOnly(kImage, known));
  return directory.CheckHoldsOnly(kDisks, known);
}

absl::StatusOr<CheckpointManifest> ReadManifest(const CheckpointDirectory& directory, const std::string& path) {
  const absl::StatusOr<std::string> text = directory.Read(kManifest, kMaxManifestBytes);
  if (absl::IsNotFound(text.status())) {
    return CheckpointUnfit(absl::StatusCode::kFailedPrecondition, path,
                           absl::StrCat("is none, or an incomplete one: it has no ", kManifest));
  }
  VCD_RETURN_IF_ERROR(text.status());
  absl::StatusOr<CheckpointManifest> manifest = DecodeManifest(*text);
  if (manifest.ok()) return manifest;
  return CheckpointUnfit(manifest.status().code(), path, absl::StrCat(kManifest, ": ", manifest.status().message()));
}

// Whether a directory is another, or below it, whatever links there are on the way.
bool LeadsInto(const std::filesystem::path& directory, const std::string& other) {
  std::error_code error;
  for (std::filesystem::path at = std::filesystem::canonical(directory, error); !error;) {
    if (std::filesystem::equivalent(at, other, error)) return true;
    // What `other` is may not be there.
    error.clear();
    if (at == at.parent_path()) break;
    at = at.parent_path();
  }
  return false;
}

}  // namespace

std::string DiskFile(absl::string_view id) { return Below(kDisks, id); }

absl::Status CheckCheckpointPlace(Filesystem& filesystem, const std::string& directory,
                                  const std::vector<std::string>& ours) {
  const std::filesystem::path path(directory);
  if (!path.is_absolute() || path.lexically_normal().native() != directory || !path.has_filename() ||
      directory.find('\0') != std::string::npos) {
    return InvalidField("directory",
                        absl::StrCat("\"", directory,
                                     "\" is no absolute path of a directory to make; give one without `.`, "
                                     "`..`, double or trailing slashes"));
  }
  if (path.filename().native().size() > kMaxNameBytes) {
    return InvalidField("directory", absl::StrCat("its last part is longer than ", kMaxNameBytes, " bytes"));
  }
  VCD_ASSIGN_OR_RETURN(const FileKind there, filesystem.Look(directory));
  if (there != FileKind::kNone) {
    return absl::AlreadyExistsError(
        absl::StrCat(directory, " is there already; name another directory, or remove that one"));
  }
  const std::string parent = ParentDirectory(directory);
  std::error_code error;
  if (!std::filesystem::is_directory(parent, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is no directory ", parent, " to make ", directory, " in; make it first"));
  }
  for (const std::string& own : ours) {
    if (!LeadsInto(parent, own)) continue;
    return InvalidField("directory", absl::StrCat("\"", directory, "\" is in ", own, ", which is vcd's own; ",
                                                  "give one outside, where vcd removes nothing"));
  }
  return absl::OkStatus();
}

std::string MakingPath(const std::string& directory, const std::string& id) {
  return absl::StrCat(directory, kMaking, id);
}

absl::StatusOr<std::optional<CheckpointManifest>> SettleMaking(Filesystem& filesystem, const std::string& making) {
  const size_t end = making.rfind(kMaking);
  if (end == std::string::npos || making[0] != '/') {
    return absl::DataLossError(absl::StrCat(making, ": is no name of a checkpoint that is made"));
  }
  VCD_ASSIGN_OR_RETURN(const FileKind half, filesystem.Look(making));
  if (half != FileKind::kNone) {
    VCD_RETURN_IF_ERROR(filesystem.RemoveTree(making));
    return std::nullopt;
  }
  absl::StatusOr<CheckpointManifest> manifest = ReadCheckpointManifest(making.substr(0, end));
  if (!manifest.ok() || manifest->id != making.substr(end + sizeof(kMaking) - 1)) return std::nullopt;
  return std::optional<CheckpointManifest>(*std::move(manifest));
}

absl::StatusOr<std::unique_ptr<CheckpointWriter>> CheckpointWriter::Begin(Filesystem& filesystem,
                                                                          const std::string& directory,
                                                                          const std::string& id) {
  RemoveAbandoned(filesystem, directory);
  const std::string making = MakingPath(directory, id);
  VCD_RETURN_IF_ERROR(filesystem.CreateDirectory(making));
  absl::Cleanup undo = [&] { filesystem.RemoveTree(making).IgnoreError(); };
  // The guest's memory is in it.
  if (::chmod(making.c_str(), 0700) != 0) return PosixError(errno, absl::StrCat("chmod ", making));
  VCD_ASSIGN_OR_RETURN(FileLock lock,
                       FileLock::Acquire(Below(making, kLock), FileLockMode::kExclusive, /*nonblocking=*/true));
  std::unique_ptr<CheckpointWriter> writer(new CheckpointWriter(filesystem, directory, id, std::move(lock)));
  VCD_RETURN_IF_ERROR(filesystem.CreateDirectory(writer->image_dir()));
  std::move(undo).Cancel();
  return writer;
}

CheckpointWriter::~CheckpointWriter() {
  if (finished_) return;
  const absl::Status removed = filesystem_.RemoveTree(making_);
  if (!removed.ok()) LogError("", absl::StrCat("remove half a checkpoint: ", removed.message()));
}

absl::Status CheckpointWriter::AddDisk(const std::string& id, const std::string& path, const CallContext& context) {
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(Below(making_, kDisks)));
  return CopyDisk(path, Below(making_, DiskFile(id)), context);
}

absl::Status CheckpointWriter::WriteAll(CheckpointManifest& manifest, const v1::PodConfig& config,
                                        const state::v1::PodRecord& record, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const std::string config_text, EncodePodConfig(config));
  VCD_ASSIGN_OR_RETURN(const std::string record_text, EncodePodRecord(record));
  VCD_RETURN_IF_ERROR(filesystem_.WriteFile(Below(making_, kConfig), config_text));
  VCD_RETURN_IF_ERROR(filesystem_.WriteFile(Below(making_, kRecord), record_text));
  std::vector<std::string> names = {kConfig, kRecord};
  std::vector<std::string> directories;
  for (const char* directory : {kImage, kDisks}) {
    const std::string below = Below(making_, directory);
    VCD_ASSIGN_OR_RETURN(const FileKind there, filesystem_.Look(below));
    if (there == FileKind::kNone) continue;
    VCD_ASSIGN_OR_RETURN(const std::vector<std::string> files, filesystem_.ListDirectory(below));
    for (const std::string& name : files) names.push_back(Below(directory, name));
    directories.push_back(below);
  }
  manifest.id = id_;
  manifest.files.clear();
  for (const std::string& name : names) {
    VCD_ASSIGN_OR_RETURN(CheckpointFile file, Describe(filesystem_, making_, name, context));
    manifest.files.push_back(std::move(file));
  }
  const std::string path = Below(making_, kManifest);
  VCD_RETURN_IF_ERROR(filesystem_.WriteFile(path, EncodeManifest(manifest)));
  VCD_RETURN_IF_ERROR(filesystem_.SyncFile(path));
  for (const std::string& directory : directories) VCD_RETURN_IF_ERROR(filesystem_.SyncDirectory(directory));
  return filesystem_.SyncDirectory(making_);
}

absl::Status CheckpointWriter::Finish(CheckpointManifest manifest, const v1::PodConfig& config,
                                      const state::v1::PodRecord& record, const CallContext& context) {
  VCD_RETURN_IF_ERROR(WriteAll(manifest, config, record, context));
  VCD_RETURN_IF_ERROR(context.Check("finish the checkpoint"));
  VCD_RETURN_IF_ERROR(filesystem_.Rename(making_, directory_));
  absl::Status durable = filesystem_.SyncDirectory(ParentDirectory(directory_));
  if (!durable.ok()) {
    filesystem_.RemoveTree(directory_).IgnoreError();
    return durable;
  }
  finished_ = true;
  // Not before it has its name: whoever finds it unlocked takes it for abandoned. Left behind it harms nobody.
  filesystem_.RemoveFile(Below(directory_, kLock)).IgnoreError();
  return absl::OkStatus();
}

absl::StatusOr<CheckpointManifest> ReadCheckpointManifest(const std::string& directory) {
  VCD_ASSIGN_OR_RETURN(const CheckpointDirectory opened, CheckpointDirectory::Open(directory));
  return ReadManifest(opened, directory);
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const CheckpointDirectory directory, CheckpointDirectory::Open(path));
  Checkpoint checkpoint;
  VCD_ASSIGN_OR_RETURN(checkpoint.manifest, ReadManifest(directory, path));
  VCD_RETURN_IF_ERROR(CheckComplete(directory, checkpoint.manifest));
  checkpoint.image_dir = Below(path, kImage);
  checkpoint.disks_dir = Below(path, kDisks);
  std::string config, record;
  for (const CheckpointFile& file : checkpoint.manifest.files) {
    if (file.path == kConfig || file.path == kRecord) {
      std::string& text = file.path == kConfig ? config : record;
      VCD_ASSIGN_OR_RETURN(text, ReadVerified(directory, file));
      continue;
    }
    VCD_ASSIGN_OR_RETURN(UniqueFd fd, Verify(directory, file, context));
    if (absl::StartsWith(file.path, Below(kDisks, ""))) checkpoint.disks[file.path] = std::move(fd);
  }
  absl::StatusOr<v1::PodConfig> decoded_config = DecodePodConfig(config);
  if (!decoded_config.ok()) return directory.Damaged(kConfig, decoded_config.status().message());
  absl::StatusOr<state::v1::PodRecord> decoded_record = DecodePodRecord(record);
  if (!decoded_record.ok()) return directory.Damaged(kRecord, decoded_record.status().message());
  checkpoint.config = *std::move(decoded_config);
  checkpoint.record = *std::move(decoded_record);
  if (checkpoint.config.id() != checkpoint.manifest.pod_id ||
      checkpoint.record.pod_id() != checkpoint.manifest.pod_id) {
    return directory.Damaged(kManifest, "is of another pod than the files beside it");
  }
  return checkpoint;
}

uint64_t CheckpointBytes(const std::string& path) {
  const absl::StatusOr<CheckpointDirectory> directory = CheckpointDirectory::Open(path);
  if (!directory.ok()) return 0;
  const absl::StatusOr<CheckpointManifest> manifest = ReadManifest(*directory, path);
  if (!manifest.ok()) return 0;
  uint64_t bytes = 0;
  std::vector<std::string> names = {kManifest};
  for (const CheckpointFile& file : manifest->files) names.push_back(file.path);
  for (const std::string& name : names) {
    const absl::StatusOr<CheckpointDirectory::File> file = directory->OpenFile(name);
    if (file.ok()) bytes += std::min(file->bytes, file->room_bytes);
  }
  return bytes;
}

}  // namespace vcd
