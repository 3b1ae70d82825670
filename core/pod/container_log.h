// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONTAINER_LOG_H_
#define VCD_CORE_POD_CONTAINER_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/pod/log_disk.h"
#include "core/pod/log_reader.h"
#include "core/pod/log_writer.h"
#include "core/pod/output_source.h"

namespace vcd {

// The output of a container's first process, in files (log_writer.h). Bytes are acknowledged to the guest once they are
// written, so a daemon that is killed loses none: the next one sees how much is stored and goes on from there. What
// cannot be written, because the disk is full, is dropped, and counted in the log when it can be written again, at the
// latest when the process ends; if the disk is full even then, this daemon's readers are told instead. So a full disk
// stops no container. Output of earlier runs of the container stays until it is the oldest.
class ContainerLog : public OutputSource {
 public:
  struct Options {
    std::string path;
    LogBounds bounds;
    // Lets the guest send beyond an offset; called on the I/O thread, must not block.
    std::function<void(StdStream, uint64_t)> acknowledge;
    // Output is lost from now on, or stored again, for people; on the I/O thread, or in Create, and must not block.
    std::function<void(const std::string&)> report;
    // Where the guest goes on with the output of a process that was started before: of one that an earlier daemon
    // started, what was acknowledged to it and is not stored is lost; a new run begins there.
    uint64_t stdout_offset = 0, stderr_offset = 0;
    LogDisk* disk = &LogDisk::Posix();
  };

  // Begins a new run of the container, on a full disk too.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Create(const Options& options);

  // Goes on with the log of a process that an earlier daemon started; begins one when it is missing.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Resume(const Options& options);

  // Reads what is left of a process that is gone, without a change on the disk. kNotFound when there is nothing.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> OpenEnded(const std::string& path);

  // Reads and follows this run.
  std::unique_ptr<OutputReader> NewReader(OutputStart start) ABSL_LOCKS_EXCLUDED(mu_);

  // Reads what is kept of all runs; without `follow` up to where the log ends now.
  absl::StatusOr<std::unique_ptr<OutputReader>> NewReader(const LogSelection& selection) ABSL_LOCKS_EXCLUDED(mu_);

 protected:
  void Store(StdStream stream, const std::string& data, uint64_t end_offset) override;
  void Repeated(StdStream stream, uint64_t received) override { options_.acknowledge(stream, received); }
  void Close() override;
  Readiness Look(const Cursor& cursor) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<OutputChunk> Take(Cursor& cursor) override;

 private:
  struct Position : Cursor {
    explicit Position(LogReader log_reader) : reader(std::move(log_reader)) {}
    LogReader reader;
    bool told[2] = {false, false};  // What is missing at the end, by stream.
  };

  // Either with a writer, or as it ended.
  ContainerLog(const Options& options, std::unique_ptr<LogWriter> writer);
  ContainerLog(const std::string& path, LogPosition end);
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Open(const Options& options, bool new_run);
  // After a write: lets readers go on, and returns what to report, if anything.
  std::string Note(const absl::Status& written) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  void Report(const std::string& note) ABSL_LOCKS_EXCLUDED(writing_);
  bool IsAtEnd(const Position& position) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !(position.reader.next() < end_) || !(position.reader.next() < position.reader.until());
  }
  // A stream that lost bytes at its end of which the reader was not told; nothing where there is none.
  std::optional<StdStream> Untold(const Position& position) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LogPosition end() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return end_;
  }

  const Options options_;
  const LogPosition run_;

  // Held while the disk is written: by the I/O thread, for which nobody else waits meanwhile, and by whoever ends the
  // log. Comes before mu_.
  Mutex writing_;
  const std::unique_ptr<LogWriter> writer_ ABSL_PT_GUARDED_BY(writing_);  // Null when the process is gone.
  uint64_t received_[2] ABSL_GUARDED_BY(writing_) = {0, 0};               // Where each stream ends.
  bool failing_ ABSL_GUARDED_BY(writing_) = false;

  LogPosition end_ ABSL_GUARDED_BY(mu_);  // Of what readers may read.
  // Bytes of each stream that could not be stored to its end, and when that was.
  uint64_t lost_[2] ABSL_GUARDED_BY(mu_) = {0, 0};
  absl::Time closed_at_ ABSL_GUARDED_BY(mu_);
};

// Removes all files of a log. OK when there are none.
absl::Status RemoveContainerLog(Filesystem& filesystem, const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_POD_CONTAINER_LOG_H_
