// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_OUTPUT_BUFFER_H_
#define VCD_GUEST_AGENT_OUTPUT_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vcd::guest {

// What a process wrote to one stream and the host has not acknowledged. Bytes are named by their offset since the
// process began:
//
//   0 … acked()      gone, the host has them
//   acked() … sent() sent on this connection; sent again on the next
//   sent() … end()   still to send
//
// While its process lives it holds at most `capacity` bytes: when it is full the pipe is not read any more, and the
// process waits. What the process left behind when it ended comes on top.
class OutputBuffer {
 public:
  explicit OutputBuffer(size_t capacity) : capacity_(capacity) {}

  uint64_t acked() const { return acked_; }
  uint64_t sent() const { return sent_; }
  uint64_t end() const { return acked_ + Held(); }

  // How many bytes Append may add.
  size_t room() const { return Held() < capacity_ ? capacity_ - Held() : 0; }

  // Adds what was read.
  void Append(std::string_view bytes) { data_.append(bytes); }

  // The next bytes to send, at most `limit`, at offset sent(); empty when all is sent, or as much as `capacity` without
  // being acknowledged, but for the `last` ones of a process that has ended. Valid until the next call.
  std::string_view Unsent(size_t limit, bool last) const;

  // `count` bytes of Unsent() are on their way.
  void MarkSent(size_t count);

  // The host has everything before `offset`. Offsets beyond what was sent are lies and are cut to it; offsets that
  // were acknowledged before change nothing.
  void Acknowledge(uint64_t offset);

  // A new connection: whatever is not acknowledged is sent again.
  void Rewind() { sent_ = acked_; }

 private:
  size_t Held() const { return data_.size() - head_; }

  const size_t capacity_;
  std::string data_;  // Held bytes, after `head_` bytes that are gone already.
  size_t head_ = 0;
  uint64_t acked_ = 0;
  uint64_t sent_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_OUTPUT_BUFFER_H_
