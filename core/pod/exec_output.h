// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_EXEC_OUTPUT_H_
#define VCD_CORE_POD_EXEC_OUTPUT_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "core/pod/output_source.h"

namespace vcd {

// The output of an exec'd process, in memory. Bytes stay until every attached reader has taken them; only then is the
// guest told to send more, so that at most its window is held, and a process that nobody reads waits, as at a full
// pipe.
class ExecOutput : public OutputSource {
 public:
  // `acknowledge` lets the guest send beyond an offset; called on any thread, must not block.
  ExecOutput(uint64_t stdout_offset, uint64_t stderr_offset, std::function<void(StdStream, uint64_t)> acknowledge);

  std::unique_ptr<OutputReader> NewReader(OutputStart start) ABSL_LOCKS_EXCLUDED(mu_);

 protected:
  void Store(StdStream stream, const std::string& data, uint64_t end_offset) override;
  Readiness Look(const Cursor& cursor) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<OutputChunk> Take(Cursor& cursor) override;
  void Drop(Cursor& cursor) override;

 private:
  struct Stored {
    OutputChunk chunk;
    uint64_t end_offset = 0;
  };
  struct Position : Cursor {
    uint64_t next = 0;  // Number of the chunk to be read next.
  };

  // Forgets chunks that every reader has passed; returns the last offset of each stream among them, 0 for none.
  struct Passed {
    uint64_t stdout_offset = 0, stderr_offset = 0;
  };
  Passed Trim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Acknowledge(const Passed& passed);

  const std::function<void(StdStream, uint64_t)> acknowledge_;
  std::deque<Stored> chunks_ ABSL_GUARDED_BY(mu_);
  uint64_t first_ ABSL_GUARDED_BY(mu_) = 0;  // Number of chunks_.front().
  std::set<const Position*> readers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_EXEC_OUTPUT_H_
