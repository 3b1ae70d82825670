// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONTAINER_LOG_H_
#define VCD_CORE_POD_CONTAINER_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/pod/log_disk.h"
#include "core/pod/log_reader.h"
#include "core/pod/log_writer.h"
#include "core/pod/output_source.h"

namespace vcd {

// The output of a container's first process, in files (log_writer.h). Bytes are acknowledged to the guest once they are
// written, so a daemon that is killed loses none: the next one sees how much is stored and goes on from there. What
// cannot be written, because the disk is full, is dropped, and counted in the log when it can be written again: a full
// disk stops no container. Output of earlier runs of the container stays until it is the oldest.
class ContainerLog : public OutputSource {
 public:
  struct Options {
    std::string path;
    LogBounds bounds;
    // Lets the guest send beyond an offset; called on the I/O thread, must not block.
    std::function<void(StdStream, uint64_t)> acknowledge;
    // Output is lost from now on, or stored again, for people; on the I/O thread, must not block.
    std::function<void(const std::string&)> report;
    LogDisk* disk = &LogDisk::Posix();
  };

  // Begins a new run of the container.
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
  Readiness Look(const Cursor& cursor) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<OutputChunk> Take(Cursor& cursor) override;

 private:
  struct Position : Cursor {
    explicit Position(LogReader log_reader) : reader(std::move(log_reader)) {}
    LogReader reader;
  };

  // Either with a writer, or as it ended.
  ContainerLog(const Options& options, std::unique_ptr<LogWriter> writer);
  ContainerLog(const std::string& path, LogPosition end);
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Open(const Options& options, bool new_run);
  LogPosition end() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return end_;
  }

  const Options options_;
  const std::unique_ptr<LogWriter> writer_;  // Only on the I/O thread. Null when the process is gone.
  const LogPosition run_;
  bool failing_ = false;                  // Only on the I/O thread.
  LogPosition end_ ABSL_GUARDED_BY(mu_);  // Of what readers may read.
};

// Removes all files of a log. OK when there are none.
absl::Status RemoveContainerLog(Filesystem& filesystem, const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_POD_CONTAINER_LOG_H_
