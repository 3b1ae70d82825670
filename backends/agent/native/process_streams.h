// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_PROCESS_STREAMS_H_
#define VCD_BACKENDS_AGENT_NATIVE_PROCESS_STREAMS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/agent/agent.h"
#include "core/link/link_limits.h"

namespace vcd {

// Where one output stream of a process is. The guest's numbers are checked: it may be hostile.
class OutputStream {
 public:
  explicit OutputStream(uint64_t acked = 0) : acked_(acked), received_(acked) {}

  // Takes note of `size` bytes at `offset`; how many of them came before and are to be skipped. kInvalidArgument when
  // bytes are missing before them, or the guest sends more than its window.
  absl::StatusOr<size_t> Receive(uint64_t offset, size_t size);

  // False when that tells the guest nothing new.
  bool Acknowledge(uint64_t offset);

  // The guest says that nothing comes after: what is left comes without waiting for acknowledgements, so it is bounded
  // here. kInvalidArgument when more has come, or would come.
  absl::Status SetEnd(uint64_t end);

  uint64_t acked() const { return acked_; }
  uint64_t received() const { return received_; }
  bool complete() const { return end_.has_value() && received_ == *end_; }

 private:
  uint64_t acked_;
  uint64_t received_;
  std::optional<uint64_t> end_;
};

// A process's standard input: writes that wait for the guest's window, in order.
class InputStream {
 public:
  using Done = std::function<void(absl::Status)>;

  struct Chunk {
    uint64_t offset = 0;
    std::string data;
    bool close = false;
  };

  // The guest has taken the bytes before `taken`, and has those before `sent`; it is sent `window` beyond what it took.
  InputStream(uint64_t taken, uint64_t sent, bool open, size_t window = kInputWindow)
      : acked_(taken), sent_(sent), open_(open), window_(window) {}

  // Adds a write; false when input is closed, or will be by a write before.
  bool Add(std::string data, bool close, Done done);

  // The next bytes for the guest, if it has room for any.
  std::optional<Chunk> Next();

  // Writes that are done, because all their bytes were sent and there is room for more.
  std::deque<Done> TakeFinished();

  // Ends the stream; the writes that come to nothing.
  std::deque<Done> Abandon();

  // kInvalidArgument when the guest takes what was never sent.
  absl::Status Acknowledge(uint64_t offset);

 private:
  struct Write {
    std::string data;
    size_t at = 0;
    bool close = false;
    bool sent = false;
    Done done;
  };

  size_t room() const;

  uint64_t acked_;
  uint64_t sent_;
  bool open_;
  size_t window_;
  std::deque<Write> writes_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_PROCESS_STREAMS_H_
