// SPDX-License-Identifier: Apache-2.0
#include "core/pod/log_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/pod/log_disk.h"
#include "core/pod/log_writer.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kReadSize = 64 << 10;

// The record that begins at `at`, whole. Nothing at the end of the file.
absl::StatusOr<std::optional<CriRecord>> RecordAt(int fd, uint64_t at, const std::string& path) {
  std::string text;
  for (size_t size = 512;; size = kReadSize) {  // Most are short, and searches jump from one to another.
    VCD_ASSIGN_OR_RETURN(const size_t got, ReadLogFile(fd, at + text.size(), size, path, &text));
    std::optional<CriRecord> record = ParseCriRecord(text);
    if (record.has_value() || got == 0) return record;
  }
}

// Where the first record begins that begins at `at` or later; the file's size when there is none.
absl::StatusOr<uint64_t> NextRecord(int fd, uint64_t at, uint64_t size, const std::string& path) {
  if (at == 0) return 0;
  std::string text;
  for (uint64_t from = at - 1; from < size; from += text.size()) {
    text.clear();
    VCD_ASSIGN_OR_RETURN(const size_t got, ReadLogFile(fd, from, kReadSize, path, &text));
    const size_t newline = text.find('\n');
    if (newline != std::string::npos) return std::min<uint64_t>(from + newline + 1, size);
    if (got == 0) break;
  }
  return size;
}

// The first mark of a file, which begins it.
absl::StatusOr<std::optional<LogMark>> FirstMark(int fd, const std::string& path) {
  VCD_ASSIGN_OR_RETURN(const std::optional<CriRecord> first, RecordAt(fd, 0, path));
  if (!first.has_value() || !first->is_mark) return std::optional<LogMark>();
  LogMark mark = first->mark;
  VCD_ASSIGN_OR_RETURN(const std::optional<CriRecord> second, RecordAt(fd, first->size, path));
  if (second.has_value() && second->is_mark) mark.stderr_offset = second->mark.stderr_offset;
  return std::optional<LogMark>(mark);
}

// The records of a file from its end to its beginning.
class BackwardRecords {
 public:
  BackwardRecords(int fd, uint64_t end, const std::string& path) : fd_(fd), path_(path), at_(end), end_(end) {}

  // The record before the one that was given last, and where it begins; nothing at the file's beginning.
  absl::StatusOr<std::optional<CriRecord>> Previous(uint64_t* at) {
    while (true) {
      // The newline that ends the record before it; its own is the last byte.
      const size_t before = buffer_.size() < 2 ? std::string::npos : buffer_.rfind('\n', buffer_.size() - 2);
      if (before == std::string::npos && at_ > 0) {
        VCD_RETURN_IF_ERROR(ReadBlock());
        continue;
      }
      const size_t begin = before == std::string::npos ? 0 : before + 1;
      if (begin >= buffer_.size()) return std::optional<CriRecord>();
      std::optional<CriRecord> record = ParseCriRecord(absl::string_view(buffer_).substr(begin));
      *at = end_ - (buffer_.size() - begin);
      end_ = *at;
      buffer_.resize(begin);
      if (record.has_value()) return record;
      // Half a record without a newline: only at the end of a file that was cut.
    }
  }

 private:
  absl::Status ReadBlock() {
    const uint64_t size = std::min<uint64_t>(kReadSize, at_);
    std::string block;
    while (block.size() < size) {
      VCD_ASSIGN_OR_RETURN(const size_t got,
                           ReadLogFile(fd_, at_ - size + block.size(), size - block.size(), path_, &block));
      if (got == 0) return absl::DataLossError(absl::StrCat("container log ", path_, ": it was cut"));
    }
    at_ -= size;
    buffer_.insert(0, block);
    return absl::OkStatus();
  }

  const int fd_;
  const std::string& path_;
  uint64_t at_;   // Where buffer_ begins.
  uint64_t end_;  // Where it ends.
  std::string buffer_;
};

// A file of the log to search in, and how much of it. Not valid when it is gone.
struct SearchedFile {
  UniqueFd fd;
  uint64_t size = 0;
};
absl::StatusOr<SearchedFile> OpenToSearch(const std::string& path, uint64_t number, LogPosition end) {
  absl::StatusOr<UniqueFd> fd = OpenLogFileByNumber(path, number);
  if (absl::IsNotFound(fd.status())) return SearchedFile();
  VCD_RETURN_IF_ERROR(fd.status());
  SearchedFile file{*std::move(fd), end.at};
  if (number != end.file) {
    VCD_ASSIGN_OR_RETURN(file.size, LogFileSize(file.fd.get(), path));
  }
  return file;
}

}  // namespace

absl::StatusOr<UniqueFd> OpenLogFileByNumber(const std::string& path, uint64_t number) {
  // It may be renamed between the two tries, and then is found under its new name.
  for (int attempt = 0; attempt < 2; ++attempt) {
    absl::StatusOr<UniqueFd> full = OpenLogToRead(FullLogFile(path, number));
    if (!absl::IsNotFound(full.status())) return full;
    absl::StatusOr<UniqueFd> last = OpenLogToRead(path);
    if (absl::IsNotFound(last.status())) continue;
    VCD_RETURN_IF_ERROR(last.status());
    VCD_ASSIGN_OR_RETURN(const std::optional<LogMark> mark, FirstMark(last->get(), path));
    // Without a mark it was begun by a daemon that knew none.
    const std::vector<uint64_t> full_files = FullLogFiles(path);
    const uint64_t unmarked = full_files.empty() ? 1 : full_files.back() + 1;
    if (number == (mark.has_value() ? mark->file : unmarked)) return last;
  }
  return absl::NotFoundError(absl::StrCat("container log ", path, ": file ", number, " is not kept any more"));
}

LogPosition LogBegin(const std::string& path, LogPosition end) {
  for (const uint64_t number : FullLogFiles(path)) {
    if (number < end.file) return {number, 0};
  }
  return {end.file, 0};
}

absl::StatusOr<LogPosition> FindLastLines(const std::string& path, LogPosition end, uint32_t lines) {
  LogPosition begin = end;
  uint64_t found = 0;
  bool any = false;
  if (lines == 0) return begin;
  const LogPosition oldest = LogBegin(path, end);
  for (uint64_t number = end.file; number + 1 > oldest.file && number > 0; --number) {
    VCD_ASSIGN_OR_RETURN(const SearchedFile file, OpenToSearch(path, number, end));
    if (!file.fd.valid()) break;
    BackwardRecords records(file.fd.get(), file.size, path);
    while (true) {
      uint64_t at = 0;
      VCD_ASSIGN_OR_RETURN(const std::optional<CriRecord> record, records.Previous(&at));
      if (!record.has_value()) break;
      if (record->empty()) continue;
      if (record->ends_line || !any) {
        if (found == lines) return begin;
        ++found;
      }
      any = true;
      begin = {number, at};
    }
  }
  return begin;
}

absl::StatusOr<LogPosition> FindSince(const std::string& path, LogPosition end, absl::Time since) {
  const LogPosition oldest = LogBegin(path, end);
  for (uint64_t number = end.file; number + 1 > oldest.file && number > 0; --number) {
    VCD_ASSIGN_OR_RETURN(const SearchedFile file, OpenToSearch(path, number, end));
    if (!file.fd.valid()) break;
    VCD_ASSIGN_OR_RETURN(const std::optional<CriRecord> first, RecordAt(file.fd.get(), 0, path));
    if (!first.has_value() || first->chunk.time >= since) continue;  // All of it is later.
    // All that begins before `low` came before, and what begins at `high` or later did not.
    uint64_t low = 0, high = file.size;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      VCD_ASSIGN_OR_RETURN(const uint64_t at, NextRecord(file.fd.get(), middle, file.size, path));
      if (at >= high) {
        high = middle;
        continue;
      }
      VCD_ASSIGN_OR_RETURN(const std::optional<CriRecord> record, RecordAt(file.fd.get(), at, path));
      if (record.has_value() && record->chunk.time < since) {
        low = at + record->size;
      } else {
        high = middle;
      }
    }
    VCD_ASSIGN_OR_RETURN(const uint64_t at, NextRecord(file.fd.get(), low, file.size, path));
    return LogPosition{number, at};
  }
  return oldest;
}

absl::StatusOr<OutputChunk> LogReader::Read(LogPosition end) {
  if (until_ < end) end = until_;
  while (gap_.empty() && next_ < end) {
    if (!fd_.valid()) {
      VCD_RETURN_IF_ERROR(OpenFile(end));
      continue;
    }
    std::optional<CriRecord> record = ParseCriRecord(absl::string_view(buffer_).substr(used_));
    if (record.has_value()) {
      used_ += record->size;
      next_.at += record->size;
      if (record->empty() || record->chunk.time < since_) continue;
      return std::move(record->chunk);
    }
    buffer_.erase(0, used_);
    used_ = 0;
    VCD_ASSIGN_OR_RETURN(const size_t got,
                         ReadLogFile(fd_.get(), next_.at + buffer_.size(), kReadSize, path_, &buffer_));
    if (got != 0) continue;
    if (next_.file >= end.file) return absl::DataLossError(absl::StrCat("container log ", path_, ": it was cut"));
    VCD_RETURN_IF_ERROR(OpenFile(end));
  }
  if (gap_.empty()) return OutputChunk();
  OutputChunk lost = std::move(gap_.front());
  gap_.pop_front();
  return lost;
}

// Opens the file of next_, or, from the one that is open, goes on to the next that is left.
absl::Status LogReader::OpenFile(LogPosition end) {
  const UniqueFd before = std::move(fd_);
  const uint64_t wanted = before.valid() ? next_.file + 1 : next_.file;
  buffer_.clear();
  used_ = 0;
  for (uint64_t number = wanted; number <= end.file; ++number) {
    absl::StatusOr<UniqueFd> file = OpenLogFileByNumber(path_, number);
    if (absl::IsNotFound(file.status())) {
      // Several may be gone; the oldest that is left is at least this one.
      number = std::max(number, LogBegin(path_, end).file - 1);
      continue;
    }
    VCD_RETURN_IF_ERROR(file.status());
    fd_ = *std::move(file);
    if (before.valid() || number != wanted) next_ = {number, 0};
    if (before.valid() && number != wanted) {
      VCD_ASSIGN_OR_RETURN(const LogFileEnd mine, ReadLogFileEnd(before.get(), path_));
      VCD_ASSIGN_OR_RETURN(const std::optional<LogMark> mark, FirstMark(fd_.get(), path_));
      if (mark.has_value()) NoteGap(mine.mark, *mark);
    }
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("container log ", path_, ": it is gone"));
}

void LogReader::NoteGap(const LogMark& end_of_mine, const LogMark& begin_of_next) {
  const bool same_run = end_of_mine.run == begin_of_next.run;
  const auto lost = [&](StdStream stream, uint64_t had, uint64_t has) {
    // Of runs that came and went in between nothing is known; this one's beginning at least is.
    const uint64_t bytes = same_run ? (has > had ? has - had : 0) : has;
    if (bytes != 0) gap_.push_back({stream, "", absl::UnixEpoch(), bytes});
  };
  lost(StdStream::kStdout, end_of_mine.stdout_offset, begin_of_next.stdout_offset);
  lost(StdStream::kStderr, end_of_mine.stderr_offset, begin_of_next.stderr_offset);
}

}  // namespace vcd
