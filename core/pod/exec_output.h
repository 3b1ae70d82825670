// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_EXEC_OUTPUT_H_
#define VCD_CORE_POD_EXEC_OUTPUT_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "core/os/io_thread.h"
#include "core/os/timer.h"
#include "core/pod/output_source.h"

namespace vcd {

// How far the readers of an exec may be apart.
struct ExecOutputLimits {
  uint64_t backlog_bytes = 1 << 20;             // At least as much as the guest sends at once.
  absl::Duration patience = absl::Seconds(10);  // How long a reader may be further behind.
};

// The output of an exec'd process, in memory. The guest is told to send more as the first of the readers takes what is
// there, and bytes stay for those who come after: at most its window and the backlog are held. A process that nobody
// reads, or all read slowly, waits, as at a full pipe, and loses nothing. A reader for whom the others have to wait,
// because it is a backlog behind them, is cut off when its patience is at an end: its next chunk is
// kResourceExhausted.
class ExecOutput : public OutputSource {
 public:
  struct Options {
    uint64_t stdout_offset = 0;
    uint64_t stderr_offset = 0;
    ExecOutputLimits limits;
    std::string process;  // For messages.
  };

  // `acknowledge` lets the guest send beyond an offset; called on any thread, must not block. `io` outlives this.
  ExecOutput(IoThread& io, Options options, std::function<void(StdStream, uint64_t)> acknowledge);

  std::unique_ptr<OutputReader> NewReader(OutputStart start) ABSL_LOCKS_EXCLUDED(mu_);

 protected:
  void Store(StdStream stream, std::string data, uint64_t end_offset) override;
  void Repeated(StdStream stream, uint64_t received) override;
  Readiness Look(const Cursor& cursor) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<OutputChunk> Take(Cursor& cursor) override;
  void Drop(Cursor& cursor) override;

 private:
  struct Stored {
    OutputChunk chunk;
    uint64_t end_offset = 0;  // In its stream.
    uint64_t end = 0;         // Of all bytes of both.
  };
  struct Position : Cursor {
    uint64_t next = 0;                                 // Number of the chunk to be read next.
    absl::Time behind_since = absl::InfiniteFuture();  // Others wait for it, or have done so since.
    absl::Status cut;
  };
  // How far each stream may go on; 0 is as before.
  struct Room {
    uint64_t stdout_offset = 0, stderr_offset = 0;
  };

  // Of all bytes, where the chunk of that number begins. It is one of chunks_, or the next after them.
  uint64_t Begin(uint64_t number) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After each change: what the guest may send, who is behind, what nobody needs any more.
  Room Settle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WatchThoseBehind(uint64_t first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CutOff() ABSL_LOCKS_EXCLUDED(mu_);
  void Acknowledge(const Room& room);

  IoThread& io_;
  const Options options_;
  const std::function<void(StdStream, uint64_t)> acknowledge_;
  std::deque<Stored> chunks_ ABSL_GUARDED_BY(mu_);
  uint64_t first_ ABSL_GUARDED_BY(mu_) = 0;         // Number of chunks_.front().
  uint64_t begin_ ABSL_GUARDED_BY(mu_) = 0;         // Of all bytes, where that begins.
  uint64_t acknowledged_ ABSL_GUARDED_BY(mu_) = 0;  // Number of the first chunk that is not.
  Room told_ ABSL_GUARDED_BY(mu_);                  // All that was acknowledged so far.
  std::set<Position*> readers_ ABSL_GUARDED_BY(mu_);
  absl::Time due_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  Timer timer_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_EXEC_OUTPUT_H_
