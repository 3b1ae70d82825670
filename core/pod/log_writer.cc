// SPDX-License-Identifier: Apache-2.0
#include "core/pod/log_writer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A mark comes again after so much of the file.
constexpr uint64_t kMarkInterval = 256 << 10;

// Whole records of `text`, which begins with one, as far as they go.
void AddRecords(absl::string_view text, uint64_t at, LogFileEnd* end) {
  while (true) {
    const std::optional<CriRecord> record = ParseCriRecord(text);
    if (!record.has_value()) return;
    const bool is_stdout = record->chunk.stream == StdStream::kStdout;
    uint64_t& offset = is_stdout ? end->mark.stdout_offset : end->mark.stderr_offset;
    if (record->is_mark) {
      if (is_stdout) end->mark_at = at;
      end->has_mark = true;
      end->mark.file = record->mark.file;
      end->mark.run = record->mark.run;
      offset = is_stdout ? record->mark.stdout_offset : record->mark.stderr_offset;
    } else {
      offset += record->chunk.data.size() + record->chunk.lost_bytes;
    }
    text.remove_prefix(record->size);
    at += record->size;
    end->size = at;
  }
}

std::string FormatPlace(LogPosition place) { return absl::StrCat(place.file, "@", place.at); }

}  // namespace

absl::StatusOr<LogFileEnd> ReadLogFileEnd(int fd, const std::string& path) {
  VCD_ASSIGN_OR_RETURN(const uint64_t size, LogFileSize(fd, path));
  // Back by ever more until there is a whole mark; both of its records are written in one go.
  for (uint64_t window = 2 * kMarkInterval;; window *= 2) {
    const uint64_t from = size > window ? size - window : 0;
    std::string text;
    while (from + text.size() < size) {
      VCD_ASSIGN_OR_RETURN(const size_t got,
                           ReadLogFile(fd, from + text.size(), size - from - text.size(), path, &text));
      if (got == 0) break;
    }
    size_t skip = 0;
    if (from > 0) {
      const size_t newline = text.find('\n');
      skip = newline == std::string::npos ? text.size() : newline + 1;
    }
    LogFileEnd end;
    end.size = from + skip;
    AddRecords(absl::string_view(text).substr(skip), from + skip, &end);
    // A window that begins between the two records of a mark has the second one only.
    if (from == 0 || (end.has_mark && end.mark_at != 0)) return end;
  }
}

std::string RunNote(const std::string& path) { return path + ".run"; }

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Open(const std::string& path, const LogBounds& bounds,
                                                           LogDisk& disk) {
  std::vector<uint64_t> full = FullLogFiles(path);
  LogFileEnd end;
  absl::StatusOr<UniqueFd> fd = disk.OpenToAppend(path);
  if (fd.ok()) {
    VCD_ASSIGN_OR_RETURN(end, ReadLogFileEnd(fd->get(), path));
    VCD_ASSIGN_OR_RETURN(const uint64_t whole_size, LogFileSize(fd->get(), path));
    if (end.size < whole_size) VCD_RETURN_IF_ERROR(disk.Truncate(fd->get(), end.size, path));
  } else if (absl::IsResourceExhausted(fd.status()) && absl::IsNotFound(OpenLogToRead(path).status())) {
    fd = UniqueFd();
  } else {
    return fd.status();
  }
  std::unique_ptr<LogWriter> writer(new LogWriter(path, bounds, disk, *std::move(fd)));
  writer->file_ = end.has_mark ? end.mark.file : full.empty() ? 1 : full.back() + 1;
  writer->run_ = end.has_mark ? end.mark.run : LogPosition{writer->file_, 0};
  LogPosition ends_at{writer->file_, end.size};
  if (!end.has_mark && !full.empty()) {
    // The one before was full, and a crash came before anything was written here.
    const std::string before = FullLogFile(path, full.back());
    VCD_ASSIGN_OR_RETURN(UniqueFd before_fd, OpenLogToRead(before));
    VCD_ASSIGN_OR_RETURN(const LogFileEnd before_end, ReadLogFileEnd(before_fd.get(), before));
    if (before_end.has_mark) writer->run_ = before_end.mark.run;
    if (end.size == 0) ends_at = {full.back(), before_end.size};
    end.mark.stdout_offset += before_end.mark.stdout_offset;
    end.mark.stderr_offset += before_end.mark.stderr_offset;
  }
  if (const std::string note = ReadNote(RunNote(path)); !note.empty()) {
    writer->has_note_ = true;
    // One of a run that has its mark by now names a place that has something after it.
    writer->run_is_marked_ = note != FormatPlace(ends_at);
  }
  writer->size_ = end.size;
  writer->marked_at_ = end.mark_at;
  if (writer->run_is_marked_) {
    writer->stdout_offset_ = end.mark.stdout_offset;
    writer->stderr_offset_ = end.mark.stderr_offset;
  } else {
    writer->run_ = {writer->file_, end.size};
  }
  writer->full_ = std::move(full);
  return writer;
}

absl::Status LogWriter::BeginRun(absl::Time now, uint64_t stdout_offset, uint64_t stderr_offset, absl::Status* full) {
  run_ = {file_, size_};
  stdout_offset_ = stdout_offset;
  stderr_offset_ = stderr_offset;
  run_is_marked_ = false;
  *full = MarkRun(now);
  if (full->ok()) return absl::OkStatus();
  if (!absl::IsResourceExhausted(*full)) return *full;
  // An empty log needs no note.
  if (size_ == 0 && full_.empty()) return absl::OkStatus();
  has_note_ = true;
  return disk_.PutNote(RunNote(path_), FormatPlace({file_, size_}));
}

absl::Status LogWriter::MarkRun(absl::Time now) {
  if (size_ >= bounds_.max_file_bytes) VCD_RETURN_IF_ERROR(Rotate());
  run_ = {file_, size_};
  return Flush(NewBatch(now));
}

absl::Status LogWriter::Write(StdStream stream, absl::string_view data, uint64_t end_offset, absl::Time now) {
  const uint64_t start = end_offset - data.size();
  Batch batch = NewBatch(now);
  if (const uint64_t lost = start > offset(stream) ? start - offset(stream) : 0; lost != 0) {
    VCD_RETURN_IF_ERROR(Add(&batch, FormatLostBytes(stream, lost, why_lost_, now), lost, stream, now));
  }
  while (!data.empty()) {
    size_t used = 0;
    std::string record = FormatCriRecord(stream, data, now, &used);
    VCD_RETURN_IF_ERROR(Add(&batch, std::move(record), used, stream, now));
    data.remove_prefix(used);
  }
  return Flush(batch);
}

LogWriter::Batch LogWriter::NewBatch(absl::Time now) const {
  Batch batch{"", stdout_offset_, stderr_offset_};
  if (mark_is_due() || size_ - marked_at_ >= kMarkInterval) {
    batch.records = FormatLogMark(Mark(), now);
    batch.has_mark = true;
  }
  return batch;
}

// Adds a record of `bytes` of the stream; what does not fit into this file goes into the next.
absl::Status LogWriter::Add(Batch* batch, std::string record, uint64_t bytes, StdStream stream, absl::Time now) {
  const bool is_full = size_ + batch->records.size() + record.size() > bounds_.max_file_bytes;
  const bool has_output = size_ != 0 || batch->stdout_offset + batch->stderr_offset != stdout_offset_ + stderr_offset_;
  // Also in between, so that marks are never far apart.
  if ((is_full && has_output) || batch->records.size() >= kMarkInterval) {
    VCD_RETURN_IF_ERROR(Flush(*batch));
    if (is_full) VCD_RETURN_IF_ERROR(Rotate());
    *batch = NewBatch(now);
  }
  batch->records += record;
  batch->offset(stream) += bytes;
  return absl::OkStatus();
}

absl::Status LogWriter::Flush(const Batch& batch) {
  if (!fd_.valid()) {
    VCD_ASSIGN_OR_RETURN(UniqueFd fd, disk_.OpenToAppend(path_));
    SetFile(std::move(fd));
  }
  if (torn_) VCD_RETURN_IF_ERROR(disk_.Truncate(fd_.get(), size_, path_));
  torn_ = true;
  absl::Status written = disk_.Append(fd_.get(), batch.records, path_);
  if (!written.ok()) {
    torn_ = !disk_.Truncate(fd_.get(), size_, path_).ok();
    return written;
  }
  torn_ = false;
  if (batch.has_mark) {
    marked_at_ = size_;
    run_is_marked_ = true;
    if (has_note_) has_note_ = !disk_.Remove(RunNote(path_)).ok();
  }
  size_ += batch.records.size();
  stdout_offset_ = batch.stdout_offset;
  stderr_offset_ = batch.stderr_offset;
  return absl::OkStatus();
}

absl::Status LogWriter::Rotate() {
  // First, so that a full disk has room again. This one and the next count too.
  while (full_.size() + 2 > std::max<size_t>(bounds_.max_files, 2)) {
    VCD_RETURN_IF_ERROR(disk_.Remove(FullLogFile(path_, full_.front())));
    full_.erase(full_.begin());
  }
  const std::string full_path = FullLogFile(path_, file_);
  // Renamed already, when what follows failed before.
  const absl::Status renamed = disk_.Rename(path_, full_path);
  if (!renamed.ok() && !absl::IsNotFound(renamed)) return renamed;
  VCD_ASSIGN_OR_RETURN(fd_, disk_.OpenToAppend(path_));
  full_.push_back(file_);
  ++file_;
  size_ = 0;
  marked_at_ = 0;
  return absl::OkStatus();
}

}  // namespace vcd
