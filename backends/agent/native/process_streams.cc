// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/process_streams.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace vcd {

absl::StatusOr<size_t> OutputStream::Receive(uint64_t offset, size_t size) {
  if (offset > received_) {
    return absl::InvalidArgumentError(absl::StrCat("output at ", offset, " where ", received_, " was next"));
  }
  // No overflow: `offset` is at most received_, and FromAgentProcess bounds where a stream begins.
  const uint64_t end = offset + size;
  if (end <= received_) return size;
  if (!end_.has_value() && end - acked_ > kOutputWindow) {
    return absl::InvalidArgumentError(
        absl::StrCat("output up to ", end, " where ", acked_, " is acknowledged: beyond the window"));
  }
  if (end_.has_value() && end > *end_) {
    return absl::InvalidArgumentError(absl::StrCat("output up to ", end, " after the stream's end at ", *end_));
  }
  const size_t skip = received_ - offset;
  received_ = end;
  return skip;
}

bool OutputStream::Acknowledge(uint64_t offset) {
  const uint64_t acked = std::min(offset, received_);
  if (acked <= acked_) return false;
  acked_ = acked;
  return true;
}

absl::Status OutputStream::SetEnd(uint64_t end) {
  if (end < received_) {
    return absl::InvalidArgumentError(absl::StrCat("a stream ends at ", end, " after output up to ", received_));
  }
  if (end - acked_ > kMaxFinalOutput) {
    return absl::InvalidArgumentError(
        absl::StrCat("a stream that ends at ", end, " where ", acked_, " is acknowledged: no process leaves so much"));
  }
  end_ = end;
  return absl::OkStatus();
}

bool InputStream::Add(std::string data, bool close, Done done) {
  if (!open_) return false;
  open_ = !close;
  writes_.push_back({std::move(data), 0, close, false, std::move(done)});
  return true;
}

std::optional<InputStream::Chunk> InputStream::Next() {
  for (Write& write : writes_) {
    if (write.sent) continue;
    const size_t left = write.data.size() - write.at;
    const size_t size = std::min({left, room(), kOutputChunk});
    if (size == 0 && left != 0) return std::nullopt;
    Chunk chunk{sent_, write.data.substr(write.at, size), false};
    write.at += size;
    sent_ += size;
    write.sent = write.at == write.data.size();
    chunk.close = write.sent && write.close;
    if (write.sent) write.data = std::string();
    // An empty write that closes nothing has nothing to say.
    if (size == 0 && !chunk.close) continue;
    return chunk;
  }
  return std::nullopt;
}

std::deque<InputStream::Done> InputStream::TakeFinished() {
  std::deque<Done> finished;
  while (!writes_.empty() && writes_.front().sent && (room() > 0 || writes_.front().close)) {
    finished.push_back(std::move(writes_.front().done));
    writes_.pop_front();
  }
  return finished;
}

std::deque<InputStream::Done> InputStream::Abandon() {
  open_ = false;
  std::deque<Done> abandoned;
  for (Write& write : writes_) abandoned.push_back(std::move(write.done));
  writes_.clear();
  return abandoned;
}

absl::Status InputStream::Acknowledge(uint64_t offset) {
  if (offset > sent_) {
    return absl::InvalidArgumentError(absl::StrCat("input taken up to ", offset, " of ", sent_, " sent"));
  }
  acked_ = std::max(acked_, offset);
  return absl::OkStatus();
}

size_t InputStream::room() const {
  const uint64_t flying = sent_ - acked_;
  return flying >= window_ ? 0 : window_ - flying;
}

}  // namespace vcd
