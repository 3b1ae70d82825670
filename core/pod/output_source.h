// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_OUTPUT_SOURCE_H_
#define VCD_CORE_POD_OUTPUT_SOURCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "core/agent/agent.h"
#include "core/os/mutex.h"
#include "core/pod/process_output.h"

namespace vcd {

// What one process writes, for any number of readers, each at its own pace. Implementations say where the bytes are
// kept: ContainerLog in a file, ExecOutput in memory. Shared by the process and its readers. Thread-safe.
class OutputSource : public std::enable_shared_from_this<OutputSource> {
 public:
  virtual ~OutputSource() = default;

  // Takes bytes from the guest; those before what was taken already are dropped. On the I/O thread.
  void Append(StdStream stream, uint64_t offset, std::string data) ABSL_LOCKS_EXCLUDED(mu_);

  // There will be no more. May come again, and on any thread; does not block.
  virtual void End() ABSL_LOCKS_EXCLUDED(mu_) { SetEnded(); }

 protected:
  // Where one reader stands. Made and used by the implementation.
  struct Cursor {
    virtual ~Cursor() = default;
  };
  enum class Readiness { kChunk, kWait, kEnd };

  // Offsets from which each stream goes on.
  OutputSource(uint64_t stdout_offset, uint64_t stderr_offset) : received_{stdout_offset, stderr_offset} {}

  // Bytes up to `received` have come again: the guest was not told that they had come, and may wait for that.
  virtual void Repeated(StdStream stream, uint64_t received) = 0;
  // Keeps new bytes, and wakes the readers once it has them.
  virtual void Store(StdStream stream, std::string data, uint64_t end_offset) ABSL_LOCKS_EXCLUDED(mu_) = 0;
  // Whether there is something at the cursor; kWait only while !ended_.
  virtual Readiness Look(const Cursor& cursor) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) = 0;
  // The chunk at the cursor, after Look said so; an empty one when there was nothing to show, and the cursor is past
  // it.
  virtual absl::StatusOr<OutputChunk> Take(Cursor& cursor) ABSL_LOCKS_EXCLUDED(mu_) = 0;
  // The reader goes away.
  virtual void Drop(Cursor&) ABSL_LOCKS_EXCLUDED(mu_) {}

  std::unique_ptr<OutputReader> MakeReader(std::unique_ptr<Cursor> cursor);
  // Serves those who wait, on this thread.
  void WakeReaders() ABSL_LOCKS_EXCLUDED(mu_);
  // All is kept that came, and readers end behind it.
  void SetEnded() ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;

 private:
  class Reader;
  struct ReaderState;

  // Only on the I/O thread.
  uint64_t received_[2];
  std::set<std::shared_ptr<ReaderState>> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_OUTPUT_SOURCE_H_
