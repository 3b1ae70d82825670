// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/output_buffer.h"

#include <algorithm>

namespace vcd::guest {

std::string_view OutputBuffer::Unsent(size_t limit, bool last) const {
  const size_t flying = sent_ - acked_;
  if (!last) limit = std::min(limit, flying < capacity_ ? capacity_ - flying : 0);
  return std::string_view(data_).substr(head_ + flying, limit);
}

void OutputBuffer::MarkSent(size_t count) { sent_ = std::min(sent_ + count, end()); }

void OutputBuffer::Acknowledge(uint64_t offset) {
  offset = std::min(offset, sent_);
  if (offset <= acked_) return;
  head_ += offset - acked_;
  acked_ = offset;
  if (head_ == data_.size()) {
    // An idle stream gives its memory back: a guest is small and keeps many of them.
    std::string().swap(data_);
    head_ = 0;
  } else if (head_ >= data_.size() / 2) {
    data_.erase(0, head_);
    head_ = 0;
  }
}

}  // namespace vcd::guest
