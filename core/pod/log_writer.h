// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_LOG_WRITER_H_
#define VCD_CORE_POD_LOG_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/os/unique_fd.h"
#include "core/pod/cri_log_format.h"
#include "core/pod/log_disk.h"
#include "core/pod/pod_runtime.h"

namespace vcd {

// Writes a log: PATH, which takes what comes, and before it PATH.1, PATH.2 …, which are full; higher numbers are newer.
// When PATH is full it is renamed to the next number and begun again, and the oldest goes.
//
// A crash between any two steps loses nothing and doubles nothing: how much of each stream is stored follows from the
// last mark and what comes after it. One mark is in the last 256 KiB of a file, so to know it takes no long reading.
//
// A run that begins while the disk is full has its mark written with the first output that fits. Until then a note
// beside the log, PATH.run, says where the run begins: the mark before it is of another run, whose offsets mean nothing
// now. One thread at a time.
class LogWriter {
 public:
  // Goes on with a log where it ends, or begins one, if need be once there is room for it. Half a record at its end is
  // cut off: it is what a full disk or a crash leaves, and the guest still has those bytes.
  static absl::StatusOr<std::unique_ptr<LogWriter>> Open(const std::string& path, const LogBounds& bounds,
                                                         LogDisk& disk);

  // From here on it is the output of another run of the container, whose streams go on at these offsets. `full` is OK,
  // or why there is no room for output now.
  absl::Status BeginRun(absl::Time now, uint64_t stdout_offset, uint64_t stderr_offset, absl::Status* full);

  // Stores bytes that end at `end_offset` of their stream. Those between what is stored and their beginning are noted
  // as missing, and so are these, later, if this fails.
  absl::Status Write(StdStream stream, absl::string_view data, uint64_t end_offset, absl::Time now);

  // Bytes of a stream that the log accounts for.
  uint64_t offset(StdStream stream) const { return stream == StdStream::kStdout ? stdout_offset_ : stderr_offset_; }

  // Where it is written; 0 while there is no room for a file.
  dev_t filesystem() const { return filesystem_; }

  LogPosition end() const { return {file_, size_}; }
  // Where this run began.
  LogPosition run() const { return run_; }
  // Why bytes before were not stored, for their record.
  void set_why_lost(std::string why) { why_lost_ = std::move(why); }

 private:
  LogWriter(std::string path, const LogBounds& bounds, LogDisk& disk, UniqueFd fd)
      : path_(std::move(path)), bounds_(bounds), disk_(disk) {
    if (fd.valid()) SetFile(std::move(fd));
  }

  // Records to be written in one go, and the offsets then.
  struct Batch {
    std::string records;
    uint64_t stdout_offset, stderr_offset;
    bool has_mark = false;
    uint64_t& offset(StdStream stream) { return stream == StdStream::kStdout ? stdout_offset : stderr_offset; }
  };
  void SetFile(UniqueFd fd) {
    filesystem_ = LogFilesystem(fd.get());
    fd_ = std::move(fd);
  }
  Batch NewBatch(absl::Time now) const;
  absl::Status Add(Batch* batch, std::string record, uint64_t bytes, StdStream stream, absl::Time now);
  absl::Status Flush(const Batch& batch);
  absl::Status Rotate();
  absl::Status MarkRun(absl::Time now);
  bool mark_is_due() const { return !run_is_marked_ || size_ == 0; }
  LogMark Mark() const { return {file_, run_, stdout_offset_, stderr_offset_}; }

  const std::string path_;
  const LogBounds bounds_;
  LogDisk& disk_;
  UniqueFd fd_;  // Invalid while there is no room for a file.
  dev_t filesystem_ = 0;
  std::vector<uint64_t> full_;  // Numbers of the files before.
  uint64_t file_ = 1;
  uint64_t size_ = 0;       // Of the whole records.
  uint64_t marked_at_ = 0;  // Where the last mark is.
  bool torn_ = false;       // There may be half a record after them.
  bool run_is_marked_ = true;
  bool has_note_ = false;
  LogPosition run_{1, 0};
  uint64_t stdout_offset_ = 0, stderr_offset_ = 0;
  std::string why_lost_ = "they came before the log went on";
};

// What the end of a file says; offsets are of all its whole records.
struct LogFileEnd {
  bool has_mark = false;
  LogMark mark;  // The last one, with the offsets at the end.
  uint64_t mark_at = 0;
  uint64_t size = 0;  // Of the whole records.
};
absl::StatusOr<LogFileEnd> ReadLogFileEnd(int fd, const std::string& path);

// What says where a run without a mark begins.
std::string RunNote(const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_POD_LOG_WRITER_H_
