// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_INPUT_QUEUE_H_
#define VCD_GUEST_AGENT_INPUT_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vcd::guest {

// Standard input on its way from the host to a process, by offset since the process began. The host sends again what
// was not acknowledged when a connection broke, so bytes that are here already come twice and are skipped.
class InputQueue {
 public:
  explicit InputQueue(size_t capacity) : capacity_(capacity) {}

  // Takes `bytes`, which begin at `offset`. What is known already is skipped; bytes after a gap, beyond the capacity or
  // after the end cannot come from a host that keeps to the protocol, and are dropped unacknowledged. `last` says that
  // nothing comes after them.
  void Add(uint64_t offset, std::string_view bytes, bool last);

  // What waits for the process. Valid until the next call.
  std::string_view Waiting() const { return data_; }

  // The process has taken `count` bytes of Waiting().
  void Take(size_t count);

  // The process reads no more: what waits and what comes counts as taken, or the host would wait for it for ever.
  void Discard();

  // Bytes before this offset are taken.
  uint64_t taken() const { return taken_; }

  // Nothing comes after what is here.
  bool ends() const { return last_; }

  // All that ever comes has been taken.
  bool finished() const { return last_ && data_.empty(); }

 private:
  const size_t capacity_;
  std::string data_;
  uint64_t taken_ = 0;
  bool last_ = false;
  bool discarding_ = false;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_INPUT_QUEUE_H_
