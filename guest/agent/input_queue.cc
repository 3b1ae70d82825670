// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/input_queue.h"

#include <algorithm>

namespace vcd::guest {

void InputQueue::Add(uint64_t offset, std::string_view bytes, bool last) {
  const uint64_t expected = taken_ + data_.size();
  if (offset > expected || last_) return;
  const uint64_t known = expected - offset;
  if (known > bytes.size()) return;  // All of it, and more, is here: an old message.
  bytes.remove_prefix(known);
  if (discarding_) {
    taken_ += bytes.size();
    last_ = last;
    return;
  }
  const size_t fits = std::min(bytes.size(), capacity_ - data_.size());
  data_.append(bytes.substr(0, fits));
  last_ = last && fits == bytes.size();
}

void InputQueue::Take(size_t count) {
  count = std::min(count, data_.size());
  data_.erase(0, count);
  if (data_.empty()) std::string().swap(data_);  // An idle stream gives its memory back.
  taken_ += count;
}

void InputQueue::Discard() {
  discarding_ = true;
  Take(data_.size());
}

}  // namespace vcd::guest
