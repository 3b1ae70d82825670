// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_LOG_READER_H_
#define VCD_CORE_POD_LOG_READER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/os/unique_fd.h"
#include "core/pod/cri_log_format.h"
#include "core/pod/process_output.h"

namespace vcd {

// Reads a log (log_writer.h) that may be written, rotated and cut short meanwhile: it holds nobody up. Each reader has
// its own; one thread at a time. A reader that stands in a file keeps that file, also when it is removed, and goes on
// with the oldest that is left; what it missed is told as lost.
class LogReader {
 public:
  // Begins at `next`; ends at `until`, and passes over what came before `since`.
  LogReader(std::string path, LogPosition next, LogPosition until, absl::Time since)
      : path_(std::move(path)), next_(next), until_(until), since_(since) {}

  LogPosition next() const { return next_; }
  LogPosition until() const { return until_; }
  absl::Time since() const { return since_; }

  // The next chunk before `end`, up to which the log is whole. Empty when there is none.
  absl::StatusOr<OutputChunk> Read(LogPosition end);

 private:
  absl::Status OpenFile(LogPosition end);
  void NoteGap(const LogMark& end_of_mine, const LogMark& begin_of_next);

  const std::string path_;
  LogPosition next_;
  const LogPosition until_;
  const absl::Time since_;
  UniqueFd fd_;         // Of file next_.file.
  std::string buffer_;  // Read ahead; what is before used_ was taken.
  size_t used_ = 0;
  std::deque<OutputChunk> gap_;
};

// The file of a number, whatever its name is by now. kNotFound when it is gone.
absl::StatusOr<UniqueFd> OpenLogFileByNumber(const std::string& path, uint64_t number);

// The oldest place that is kept, at most `end`.
LogPosition LogBegin(const std::string& path, LogPosition end);

// Where the last `lines` lines before `end` begin. Reads back from the end and no more than that. A part of a line
// counts with the line that it belongs to.
absl::StatusOr<LogPosition> FindLastLines(const std::string& path, LogPosition end, uint32_t lines);

// Where what was received at `since` or later begins, as far as time went forward. Reads a few records of one file.
absl::StatusOr<LogPosition> FindSince(const std::string& path, LogPosition end, absl::Time since);

}  // namespace vcd

#endif  // VCD_CORE_POD_LOG_READER_H_
