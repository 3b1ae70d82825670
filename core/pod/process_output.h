// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_PROCESS_OUTPUT_H_
#define VCD_CORE_POD_PROCESS_OUTPUT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/agent/agent.h"

namespace vcd {

// Bytes that a process wrote, as the daemon received them.
struct OutputChunk {
  StdStream stream = StdStream::kStdout;
  std::string data;
  absl::Time time;  // When the daemon received them.
  // So many bytes of the stream are missing here, and there is no data.
  uint64_t lost_bytes = 0;
};

// Where a reader begins.
enum class OutputStart {
  kBeginning,  // All that is kept.
  kNow,        // Only what comes after.
};

// What to read of a container's log.
struct LogSelection {
  bool follow = false;                 // Goes on with what comes later, until the process ends.
  std::optional<uint32_t> tail_lines;  // Of what is there only the last lines.
  std::optional<absl::Time> since;     // Only what was received then or later.
};

// What to read of a guest's console.
struct ConsoleSelection {
  bool follow = false;      // Goes on with what comes, until the machine's end.
  uint64_t tail_bytes = 0;  // Only the last; 0 is all that is kept.
};

// Reads one process's output, at its own pace. One caller at a time.
class OutputReader {
 public:
  // Runs once: with a chunk; with nothing when there will be no more; or with an error.
  using Callback = std::function<void(absl::StatusOr<std::optional<OutputChunk>>)>;

  // Once the destructor has returned the callback does not run any more.
  virtual ~OutputReader() = default;

  // Asks for the next chunk, when there is one: at once on this thread, or later on a thread of the daemon. Call it
  // again only after the callback has begun. Must not be destroyed from the callback.
  virtual void Next(Callback callback) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_PROCESS_OUTPUT_H_
