// SPDX-License-Identifier: Apache-2.0
#include "client/archive/tar_files.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/archive/copy_rules.h"
#include "client/posix/unique_fd.h"

namespace vcd::client {
namespace {

struct FreeReader {
  void operator()(struct archive* archive) const { archive_read_free(archive); }
};
struct FreeWriter {
  void operator()(struct archive* archive) const { archive_write_free(archive); }
};
struct FreeEntry {
  void operator()(struct archive_entry* entry) const { archive_entry_free(entry); }
};
struct FreeResolver {
  void operator()(struct archive_entry_linkresolver* resolver) const { archive_entry_linkresolver_free(resolver); }
};
using Reader = std::unique_ptr<struct archive, FreeReader>;
using Writer = std::unique_ptr<struct archive, FreeWriter>;

absl::Status Problem(const std::string& step, struct archive* archive) {
  const char* const why = archive_error_string(archive);
  const int error = archive_errno(archive);
  std::string message = absl::StrCat(step, ": ", why != nullptr ? why : "unknown error");
  if (error <= 0) return absl::InvalidArgumentError(message);
  if (!absl::StrContains(message, strerror(error))) absl::StrAppend(&message, ": ", strerror(error));
  return absl::Status(absl::ErrnoToStatusCode(error), message);
}

// ---- Packing ----

struct SinkState {
  const std::function<absl::Status(absl::string_view)>& sink;
  absl::Status status;
};

la_ssize_t WriteToSink(struct archive* archive, void* data, const void* buffer, size_t size) {
  auto* const state = static_cast<SinkState*>(data);
  state->status = state->sink(absl::string_view(static_cast<const char*>(buffer), size));
  if (state->status.ok()) return static_cast<la_ssize_t>(size);
  archive_set_error(archive, EPIPE, "the receiver has gone");
  return -1;
}

// The content of the file that the reader stands at: exactly as many bytes as its header says. False when there were
// fewer.
absl::StatusOr<bool> CopyContent(struct archive* disk, struct archive* out, uint64_t size, const std::string& path) {
  static const char kZeros[64 << 10] = {};
  uint64_t done = 0;
  const auto fill = [&](uint64_t until) -> absl::Status {
    while (done < until) {
      const size_t step = static_cast<size_t>(std::min<uint64_t>(until - done, sizeof(kZeros)));
      if (archive_write_data(out, kZeros, step) < 0) return Problem(path, out);
      done += step;
    }
    return absl::OkStatus();
  };
  while (true) {
    const void* block = nullptr;
    size_t block_size = 0;
    la_int64_t offset = 0;
    const int got = archive_read_data_block(disk, &block, &block_size, &offset);
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return Problem(absl::StrCat("read ", path), disk);
    // Holes are not told, they are zeros.
    if (absl::Status filled = fill(std::min<uint64_t>(offset, size)); !filled.ok()) return filled;
    const size_t step = static_cast<size_t>(std::min<uint64_t>(block_size, size - done));
    if (step > 0 && archive_write_data(out, block, step) < 0) return Problem(path, out);
    done += step;
  }
  // A hole at the end, or a file that was cut meanwhile.
  struct stat status {};
  const bool whole =
      done == size || (::stat(path.c_str(), &status) == 0 && static_cast<uint64_t>(status.st_size) >= size);
  if (absl::Status filled = fill(size); !filled.ok()) return filled;
  return whole;
}

// ---- Unpacking ----

struct SourceState {
  const ArchiveBytes& bytes;
  std::string block;
  absl::Status status;
};

la_ssize_t ReadFromSource(struct archive* archive, void* data, const void** buffer) {
  auto* const state = static_cast<SourceState*>(data);
  absl::StatusOr<std::string> block = state->bytes();
  if (!block.ok()) {
    state->status = block.status();
    archive_set_error(archive, EIO, "the sender has gone");
    return -1;
  }
  state->block = *std::move(block);
  *buffer = state->block.data();
  return static_cast<la_ssize_t>(state->block.size());
}

absl::StatusOr<Reader> OpenArchive(SourceState* source) {
  Reader reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open(reader.get(), source, nullptr, ReadFromSource, nullptr) == ARCHIVE_OK) return reader;
  return source->status.ok() ? Problem("read the archive", reader.get()) : source->status;
}

// Stands in another directory, and goes back.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::string& directory)
      : before_(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), entered_(::chdir(directory.c_str()) == 0) {}
  ~WorkingDirectory() {
    if (entered_ && before_.valid()) (void)!::fchdir(before_.get());
  }
  bool entered() const { return entered_; }

 private:
  const UniqueFd before_;
  const bool entered_;
};

absl::Status UnpackEntry(struct archive* archive, struct archive* disk, struct archive_entry* entry,
                         const std::string& shown) {
  if (archive_write_header(disk, entry) < ARCHIVE_WARN) return Problem(shown, disk);
  while (archive_entry_size(entry) > 0) {
    const void* block = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int got = archive_read_data_block(archive, &block, &size, &offset);
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return Problem("read the archive", archive);
    if (archive_write_data_block(disk, block, size, offset) < ARCHIVE_WARN)
      return Problem(absl::StrCat("write ", shown), disk);
  }
  if (archive_write_finish_entry(disk) < ARCHIVE_WARN) return Problem(shown, disk);
  return absl::OkStatus();
}

// A device node of one machine means nothing to another, or too much.
bool Skips(struct archive_entry* entry, const std::string& shown, SkippedNames* skipped) {
  const auto type = archive_entry_filetype(entry);
  if (type != AE_IFCHR && type != AE_IFBLK) return false;
  if (skipped->size() < 10) skipped->push_back(shown);
  return true;
}

}  // namespace

absl::StatusOr<SkippedNames> PackFiles(const std::string& path, const PackOptions& options,
                                       const std::function<absl::Status(absl::string_view)>& sink) {
  SinkState state{sink, absl::OkStatus()};
  const Writer out(archive_write_new());
  archive_write_set_format_pax(out.get());
  archive_write_set_bytes_per_block(out.get(), 128 << 10);
  archive_write_set_bytes_in_last_block(out.get(), 1);
  if (archive_write_open(out.get(), &state, nullptr, WriteToSink, nullptr) != ARCHIVE_OK) {
    return Problem("begin the archive", out.get());
  }
  const auto sink_or = [&state](const absl::Status& other) { return state.status.ok() ? other : state.status; };

  const Reader disk(archive_read_disk_new());
  if (options.follow) {
    archive_read_disk_set_symlink_hybrid(disk.get());
  } else {
    archive_read_disk_set_symlink_physical(disk.get());
  }
  archive_read_disk_set_behavior(disk.get(),
                                 ARCHIVE_READDISK_NO_XATTR | ARCHIVE_READDISK_NO_ACL | ARCHIVE_READDISK_NO_FFLAGS);
  if (archive_read_disk_open(disk.get(), path.c_str()) != ARCHIVE_OK) return Problem(path, disk.get());
  const std::unique_ptr<struct archive_entry_linkresolver, FreeResolver> links(archive_entry_linkresolver_new());
  archive_entry_linkresolver_set_strategy(links.get(), ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
  std::string cut;
  SkippedNames skipped;
  while (true) {
    std::unique_ptr<struct archive_entry, FreeEntry> entry(archive_entry_new());
    const int got = archive_read_next_header2(disk.get(), entry.get());
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return Problem(path, disk.get());
    archive_read_disk_descend(disk.get());
    const std::string source = archive_entry_sourcepath(entry.get());
    if (archive_entry_filetype(entry.get()) == AE_IFSOCK) continue;
    if (Skips(entry.get(), source, &skipped)) continue;
    std::string rest = source.substr(std::min(source.size(), path.size()));
    while (absl::StartsWith(rest, "/")) rest.erase(0, 1);
    std::string name = rest;
    if (!options.name.empty()) name = rest.empty() ? options.name : absl::StrCat(options.name, "/", rest);
    if (name.empty()) continue;  // The directory itself, whose content alone is wanted.
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_uname(entry.get(), nullptr);
    archive_entry_set_gname(entry.get(), nullptr);
    archive_entry_sparse_clear(entry.get());
    archive_entry_unset_atime(entry.get());
    archive_entry_unset_ctime(entry.get());
    archive_entry_unset_birthtime(entry.get());
    struct archive_entry* linked = entry.release();
    struct archive_entry* unused = nullptr;
    archive_entry_linkify(links.get(), &linked, &unused);
    entry.reset(linked);
    const uint64_t size =
        archive_entry_hardlink(entry.get()) != nullptr ? 0 : static_cast<uint64_t>(archive_entry_size(entry.get()));
    if (archive_write_header(out.get(), entry.get()) < ARCHIVE_WARN) return sink_or(Problem(source, out.get()));
    if (archive_entry_filetype(entry.get()) != AE_IFREG || size == 0) continue;
    const absl::StatusOr<bool> whole = CopyContent(disk.get(), out.get(), size, source);
    if (!whole.ok()) return sink_or(whole.status());
    if (!*whole) cut = source;
  }
  if (archive_write_close(out.get()) != ARCHIVE_OK) return sink_or(Problem("end the archive", out.get()));
  if (!cut.empty()) return absl::DataLossError(absl::StrCat(cut, " became shorter while it was read; copy it again"));
  return skipped;
}

absl::StatusOr<UnpackResult> UnpackFiles(const std::string& directory, const std::string& name,
                                         const ArchiveBytes& bytes) {
  SourceState source{bytes, "", absl::OkStatus()};
  absl::StatusOr<Reader> reader = OpenArchive(&source);
  if (!reader.ok()) return reader.status();
  const WorkingDirectory entered(directory);
  if (!entered.entered()) return absl::ErrnoToStatus(errno, directory);
  const Writer disk(archive_write_disk_new());
  archive_write_disk_set_options(disk.get(), ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                                                 ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                                 ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
  UnpackResult result;
  while (true) {
    struct archive_entry* entry = nullptr;
    const int got = archive_read_next_header(reader->get(), &entry);
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return source.status.ok() ? Problem("read the archive", reader->get()) : source.status;
    const char* const known = archive_entry_pathname(entry);
    if (known == nullptr) return absl::InvalidArgumentError("the archive has an entry without a name");
    const std::string shown = known;
    const std::optional<std::string> target = Renamed(shown, name);
    if (!target.has_value()) continue;
    if (Skips(entry, shown, &result.skipped)) continue;
    archive_entry_set_pathname(entry, target->c_str());
    if (const char* const link = archive_entry_hardlink(entry); link != nullptr) {
      const std::optional<std::string> link_target = Renamed(link, name);
      if (!link_target.has_value()) return absl::InvalidArgumentError(absl::StrCat(shown, ": links to a directory"));
      archive_entry_set_hardlink(entry, link_target->c_str());
    }
    const absl::Status unpacked = UnpackEntry(reader->get(), disk.get(), entry, *target);
    if (!unpacked.ok()) return source.status.ok() ? unpacked : source.status;
    ++result.entries;
  }
  // Permissions and times of directories, which come last.
  if (archive_write_close(disk.get()) < ARCHIVE_WARN) return Problem(directory, disk.get());
  return result;
}

absl::StatusOr<bool> BeginsWithDirectory(const std::string& archive) {
  bool given = false;
  const ArchiveBytes bytes = [&]() -> absl::StatusOr<std::string> {
    if (given) return std::string();
    given = true;
    return archive;
  };
  SourceState source{bytes, "", absl::OkStatus()};
  absl::StatusOr<Reader> reader = OpenArchive(&source);
  if (!reader.ok()) return reader.status();
  struct archive_entry* entry = nullptr;
  if (archive_read_next_header(reader->get(), &entry) != ARCHIVE_OK) return Problem("read the archive", reader->get());
  return archive_entry_filetype(entry) == AE_IFDIR;
}

}  // namespace vcd::client
