// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/pod/cri_log_format.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kReadSize = 64 << 10;

// Appends up to kReadSize bytes of the file at `offset` to `buffer`; the number read, 0 at the end.
absl::StatusOr<size_t> ReadMore(int fd, uint64_t offset, const std::string& path, std::string* buffer) {
  const size_t before = buffer->size();
  buffer->resize(before + kReadSize);
  ssize_t got;
  do {
    got = pread(fd, buffer->data() + before, kReadSize, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  buffer->resize(before + (got > 0 ? got : 0));
  if (got < 0) return PosixError(errno, absl::StrCat("read ", path));
  return static_cast<size_t>(got);
}

bool WriteAll(int fd, const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    done += wrote;
  }
  return true;
}

}  // namespace

ContainerLog::ContainerLog(std::string path, UniqueFd file, const Contents& contents, Acknowledge acknowledge)
    : OutputSource(contents.stdout_bytes, contents.stderr_bytes),
      path_(std::move(path)),
      file_(std::move(file)),
      acknowledge_(std::move(acknowledge)),
      size_(contents.size) {}

absl::Status ContainerLog::Scan(int fd, uint64_t end, const std::function<void(const CriRecord&, uint64_t at)>& visit) {
  std::string buffer;
  uint64_t at = 0;  // Of the buffer's beginning.
  while (at < end) {
    VCD_ASSIGN_OR_RETURN(const size_t got, ReadMore(fd, at + buffer.size(), "container log", &buffer));
    size_t used = 0;
    while (at + used < end) {
      std::optional<CriRecord> record = ParseCriRecord(absl::string_view(buffer).substr(used));
      if (!record.has_value()) break;
      visit(*record, at + used);
      used += record->size;
    }
    buffer.erase(0, used);
    at += used;
    if (got == 0) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Open(const std::string& path, int flags, bool ended,
                                                                 Acknowledge acknowledge) {
  UniqueFd file(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.valid()) return PosixError(errno, absl::StrCat("open container log ", path));
  Contents contents;
  VCD_RETURN_IF_ERROR(Scan(file.get(), UINT64_MAX, [&contents](const CriRecord& record, uint64_t at) {
    contents.size = at + record.size;
    (record.chunk.stream == StdStream::kStdout ? contents.stdout_bytes : contents.stderr_bytes) +=
        record.chunk.data.size();
  }));
  // Half a record is what a full disk or a power failure leaves; the guest still has those bytes.
  if (!ended && ftruncate(file.get(), static_cast<off_t>(contents.size)) != 0) {
    return PosixError(errno, absl::StrCat("truncate container log ", path));
  }
  std::shared_ptr<ContainerLog> log(new ContainerLog(path, std::move(file), contents, std::move(acknowledge)));
  if (ended) log->End();
  return log;
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Create(const std::string& path, Acknowledge acknowledge) {
  return Open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, /*ended=*/false, std::move(acknowledge));
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::Resume(const std::string& path, Acknowledge acknowledge) {
  return Open(path, O_RDWR | O_CREAT | O_APPEND, /*ended=*/false, std::move(acknowledge));
}

absl::StatusOr<std::shared_ptr<ContainerLog>> ContainerLog::OpenEnded(const std::string& path) {
  return Open(path, O_RDONLY, /*ended=*/true, [](StdStream, uint64_t) {});
}

void ContainerLog::Store(StdStream stream, const std::string& data, uint64_t end_offset) {
  const std::string records = FormatCriLog(stream, data, absl::Now());
  uint64_t size;
  {
    MutexLock lock(&mu_);
    size = size_;
  }
  // A full disk must not stop the container: its bytes are dropped, which is said once.
  if (WriteAll(file_.get(), records)) {
    size += records.size();
    write_failed_ = false;
  } else {
    const int error = errno;
    if (!std::exchange(write_failed_, true)) {
      LogError("", absl::StrCat("write container log ", path_, ": ", strerror(error), "; output is dropped"));
    }
    (void)!ftruncate(file_.get(), static_cast<off_t>(size));
  }
  {
    MutexLock lock(&mu_);
    size_ = size;
  }
  acknowledge_(stream, end_offset);
}

ContainerLog::Readiness ContainerLog::Look(const Cursor& cursor) const {
  const Position& position = static_cast<const Position&>(cursor);
  if (position.at >= position.until) return Readiness::kEnd;
  if (position.at < size_) return Readiness::kChunk;
  return ended_ ? Readiness::kEnd : Readiness::kWait;
}

absl::StatusOr<OutputChunk> ContainerLog::Take(Cursor& cursor) {
  Position& position = static_cast<Position&>(cursor);
  while (true) {
    std::optional<CriRecord> record = ParseCriRecord(position.buffered);
    if (record.has_value()) {
      position.buffered.erase(0, record->size);
      position.at += record->size;
      return std::move(record->chunk);
    }
    VCD_ASSIGN_OR_RETURN(const size_t got,
                         ReadMore(file_.get(), position.at + position.buffered.size(), path_, &position.buffered));
    if (got == 0) return absl::DataLossError(absl::StrCat("container log ", path_, ": it was cut"));
  }
}

std::unique_ptr<OutputReader> ContainerLog::NewReader(OutputStart start, bool follow) {
  auto position = std::make_unique<Position>();
  {
    MutexLock lock(&mu_);
    if (start == OutputStart::kNow) position->at = size_;
    if (!follow) position->until = size_;
  }
  return MakeReader(std::move(position));
}

std::unique_ptr<OutputReader> ContainerLog::NewTailReader(uint32_t lines, bool follow) {
  auto position = std::make_unique<Position>();
  uint64_t size;
  {
    MutexLock lock(&mu_);
    size = size_;
  }
  if (!follow) position->until = size;
  // Where each of the last lines begins. A part of a line counts with the line that it belongs to.
  std::deque<uint64_t> begins;
  bool line_open = false;
  const absl::Status scanned = Scan(file_.get(), size, [&](const CriRecord& record, uint64_t at) {
    if (!line_open) begins.push_back(at);
    if (begins.size() > lines) begins.pop_front();
    line_open = !record.ends_line;
  });
  if (scanned.ok() && !begins.empty()) position->at = begins.front();
  return MakeReader(std::move(position));
}

}  // namespace vcd
