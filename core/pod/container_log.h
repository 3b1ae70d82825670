// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONTAINER_LOG_H_
#define VCD_CORE_POD_CONTAINER_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/os/cancellation.h"
#include "core/pod/log_disk.h"
#include "core/pod/log_reader.h"
#include "core/pod/log_threads.h"
#include "core/pod/log_writer.h"
#include "core/pod/output_source.h"

namespace vcd {

// The output of a container's first process, in files (log_writer.h). Bytes are acknowledged to the guest once they are
// written, so a daemon that is killed loses none: the next one sees how much is stored and goes on from there. What
// cannot be written, because the disk is full, is dropped, and counted in the log when it can be written again, at the
// latest when the process ends; if the disk is full even then, this daemon's readers are told instead. So a full disk
// stops no container. Output of earlier runs of the container stays until it is the oldest.
//
// The disk is waited for on a thread of LogThreads, one at a time, which takes all that came meanwhile. A disk that
// does not answer therefore holds up this container alone, when the guest has sent the window that nobody acknowledges:
// that, and what a process may leave behind at its end, is the most that is held here.
class ContainerLog : public OutputSource {
 public:
  struct Options {
    std::string path;
    LogBounds bounds;
    // Lets the guest send beyond an offset; called on any thread, must not block.
    std::function<void(StdStream, uint64_t)> acknowledge;
    // Output is lost from now on, or stored again, for people; on any thread, must not block.
    std::function<void(const std::string&)> report;
    // Where the guest goes on with the output of a process that was started before: of one that an earlier daemon
    // started, what was acknowledged to it and is not stored is lost; a new run begins there.
    uint64_t stdout_offset = 0, stderr_offset = 0;
    LogDisk* disk = &LogDisk::Posix();
    LogThreads* threads = nullptr;  // Outlives all but the readers of the log.
  };

  // Begins a new run of the container, on a full disk too. Blocks on the disk, as Resume does.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Create(const Options& options);

  // Goes on with the log of a process that an earlier daemon started; begins one when it is missing.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Resume(const Options& options);

  // Reads what is left of a process that is gone, without a change on the disk. kNotFound when there is nothing.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> OpenEnded(const std::string& path);

  // Opens a log by Create or, with `resume`, by Resume, on one of its threads; waits for that, and before it for what
  // is still written at that path, no longer than the context says.
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Open(const Options& options, bool resume,
                                                            const CallContext& context);

  const std::string& path() const { return options_.path; }

  // Reads and follows this run.
  std::unique_ptr<OutputReader> NewReader(OutputStart start) ABSL_LOCKS_EXCLUDED(mu_);

  // Reads what is kept of all runs; without `follow` up to what has come by now. Waits for that to be written.
  std::unique_ptr<OutputReader> NewReader(const LogSelection& selection) ABSL_LOCKS_EXCLUDED(mu_);

  // Readers end once all is written.
  void End() override ABSL_LOCKS_EXCLUDED(mu_);

  // Runs `done` when nothing is left to be written: at once, on this thread, or on that of the last write.
  void WhenWritten(std::function<void()> done) ABSL_LOCKS_EXCLUDED(mu_);

  // For a log that is to be removed: what is not written by now is dropped, and readers end. Where the disk is just
  // being waited for, what that still leaves is removed afterwards.
  void Abandon() ABSL_LOCKS_EXCLUDED(mu_);

 protected:
  void Store(StdStream stream, std::string data, uint64_t end_offset) override;
  void Repeated(StdStream stream, uint64_t received) override;
  Readiness Look(const Cursor& cursor) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<OutputChunk> Take(Cursor& cursor) override;

 private:
  struct Received {
    StdStream stream;
    std::string data;
    uint64_t end_offset;
    absl::Time time;
  };
  struct Position : Cursor {
    std::optional<LogReader> reader;  // Once it is known where to begin:
    LogSelection selection;           // when that is, after
    uint64_t after = 0;               // so many chunks were written,
    std::optional<LogPosition> end;   // the log ends here.
    bool told[2] = {false, false};    // What is missing at the end, by stream.
  };

  // Either with a writer, or as it ended.
  ContainerLog(const Options& options, std::unique_ptr<LogWriter> writer);
  ContainerLog(const std::string& path, LogPosition end);
  static absl::StatusOr<std::shared_ptr<ContainerLog>> Open(const Options& options, bool new_run);

  // Has WriteReceived run. By whoever has set writing_.
  void PostWriting();
  // Writes what has come. On one thread at a time.
  void WriteReceived() ABSL_LOCKS_EXCLUDED(mu_);
  // After that: what is next, if anything.
  void GoOn() ABSL_LOCKS_EXCLUDED(mu_);
  void WriteEnd() ABSL_LOCKS_EXCLUDED(mu_);
  void RemoveWhatIsLeft();
  // Whether the disk is to be told of a chunk still.
  bool IsWanted() const ABSL_LOCKS_EXCLUDED(mu_);
  // After a write: tells of output that is lost now, or not any more.
  void Note(const absl::Status& written);
  // Bytes of the stream came that the log does not account for. Not while it is written.
  bool IsMissing(StdStream stream) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Finds where to begin.
  absl::Status Search(Position& position) ABSL_LOCKS_EXCLUDED(mu_);
  bool IsAtEnd(const Position& position) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !(position.reader->next() < end_) || !(position.reader->next() < position.reader->until());
  }
  // A stream that lost bytes at its end of which the reader was not told; nothing where there is none.
  std::optional<StdStream> Untold(const Position& position) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LogPosition end() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return end_;
  }

  const Options options_;
  const LogPosition run_;

  // Of whoever has set writing_, else of whoever holds mu_. Null when the process is gone.
  const std::unique_ptr<LogWriter> writer_;
  bool failing_ = false;

  bool writing_ ABSL_GUARDED_BY(mu_) = false;    // A thread is at it, or will be.
  bool ending_ ABSL_GUARDED_BY(mu_) = false;     // The end is to be written after all that came.
  bool abandoned_ ABSL_GUARDED_BY(mu_) = false;  // Nothing is to be written any more.
  bool held_ ABSL_GUARDED_BY(mu_) = false;       // In LogThreads, while an ended log is written.
  std::vector<Received> queue_ ABSL_GUARDED_BY(mu_);
  uint64_t queued_ ABSL_GUARDED_BY(mu_) = 0;            // Chunks that were put there so far,
  uint64_t written_ ABSL_GUARDED_BY(mu_) = 0;           // and those of which the disk has been told.
  uint64_t received_[2] ABSL_GUARDED_BY(mu_) = {0, 0};  // Where each stream ends,
  uint64_t stored_[2] ABSL_GUARDED_BY(mu_) = {0, 0};    // and up to where it was written, or dropped.
  std::vector<std::function<void()>> when_written_ ABSL_GUARDED_BY(mu_);

  LogPosition end_ ABSL_GUARDED_BY(mu_);  // Of what readers may read.
  // Bytes of each stream that could not be stored to its end, and when that was.
  uint64_t lost_[2] ABSL_GUARDED_BY(mu_) = {0, 0};
  absl::Time closed_at_ ABSL_GUARDED_BY(mu_);
};

// Removes all files of a log. OK when there are none.
absl::Status RemoveContainerLog(Filesystem& filesystem, const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_POD_CONTAINER_LOG_H_
