// SPDX-License-Identifier: Apache-2.0
#include "core/link/frame_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace vcd {
namespace {

constexpr size_t kCrcBytes = 4;
constexpr size_t kMaxBlock = 254;  // Data bytes of a COBS block that no zero ends.

using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

// Tables for eight bytes at a time: frames carry bulk output, and the guest may run on an emulated CPU.
constexpr CrcTables MakeCrcTables() {
  constexpr uint32_t kReversedPolynomial = 0x82f63b78u;
  CrcTables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    tables[0][i] = crc;
  }
  for (size_t table = 1; table < tables.size(); ++table) {
    for (size_t i = 0; i < 256; ++i) {
      const uint32_t before = tables[table - 1][i];
      tables[table][i] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr CrcTables kCrcTables = MakeCrcTables();

size_t EncodedSize(size_t bytes) { return bytes + bytes / kMaxBlock + 1; }

// Writes COBS of the bytes that are added to memory that has room for it: blocks of a code byte n, then n - 1 bytes; a
// zero follows them unless n is 255. A zero at the very end still needs the empty block after it.
class CobsWriter {
 public:
  explicit CobsWriter(char* to) : code_(to), to_(to + 1) {}

  void Add(std::string_view bytes) {
    const char* from = bytes.data();
    const char* const end = from + bytes.size();
    while (from != end) {
      if (*from == '\0') {
        // Many zeros in a row are common, and not worth a search each. A full block tells no zero: one more does.
        if (length() == kMaxBlock) Begin();
        Begin();
        ++from;
        continue;
      }
      // A full block ends when more comes, so that no empty one follows the last.
      if (length() == kMaxBlock) Begin();
      const size_t window = std::min(static_cast<size_t>(end - from), kMaxBlock - length());
      const void* const zero = std::memchr(from, '\0', window);
      const size_t size = zero == nullptr ? window : static_cast<size_t>(static_cast<const char*>(zero) - from);
      std::memcpy(to_, from, size);
      to_ += size;
      from += size;
    }
  }

  // Where the encoded bytes end.
  char* Finish() {
    *code_ = static_cast<char>(length() + 1);
    return to_;
  }

 private:
  size_t length() const { return static_cast<size_t>(to_ - code_) - 1; }
  void Begin() {
    *code_ = static_cast<char>(length() + 1);
    code_ = to_++;
  }

  char* code_;  // Of the block that is being written.
  char* to_;
};

// Undoes CobsWriter. False when `encoded` is no such thing.
bool DecodeCobs(std::string_view encoded, std::string* out) {
  out->resize(encoded.size());
  char* to = out->data();
  const char* from = encoded.data();
  const char* const end = from + encoded.size();
  while (from != end) {
    const size_t code = static_cast<unsigned char>(*from++);
    if (code == 0 || code - 1 > static_cast<size_t>(end - from)) return false;
    if (code > 1) std::memcpy(to, from, code - 1);
    to += code - 1;
    from += code - 1;
    if (code - 1 < kMaxBlock && from != end) *to++ = '\0';
  }
  out->resize(static_cast<size_t>(to - out->data()));
  return true;
}

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffffu;
  size_t at = 0;
  for (; bytes.size() - at >= 8; at += 8) {
    uint32_t low = 0;
    uint32_t high = 0;
    std::memcpy(&low, bytes.data() + at, 4);
    std::memcpy(&high, bytes.data() + at + 4, 4);
    low ^= crc;
    crc = kCrcTables[7][low & 0xff] ^ kCrcTables[6][(low >> 8) & 0xff] ^ kCrcTables[5][(low >> 16) & 0xff] ^
          kCrcTables[4][low >> 24] ^ kCrcTables[3][high & 0xff] ^ kCrcTables[2][(high >> 8) & 0xff] ^
          kCrcTables[1][(high >> 16) & 0xff] ^ kCrcTables[0][high >> 24];
  }
  for (; at < bytes.size(); ++at) {
    crc = (crc >> 8) ^ kCrcTables[0][(crc ^ static_cast<unsigned char>(bytes[at])) & 0xff];
  }
  return ~crc;
}

void AppendFrame(std::string_view body, std::string* out) {
  const uint32_t crc = Crc32c(body);
  char tail[kCrcBytes];
  for (size_t i = 0; i < kCrcBytes; ++i) tail[i] = static_cast<char>((crc >> (8 * i)) & 0xff);
  const size_t before = out->size();
  const size_t needed = before + EncodedSize(body.size() + kCrcBytes) + 1;
  // Not less than twice as much as before: a queue of many small frames is not copied for each of them.
  if (out->capacity() < needed) out->reserve(std::max(needed, 2 * out->capacity()));
  out->resize(needed);
  CobsWriter writer(out->data() + before);
  writer.Add(body);
  writer.Add(std::string_view(tail, sizeof(tail)));
  char* const end = writer.Finish();
  *end = kFrameDelimiter;
  out->resize(static_cast<size_t>(end + 1 - out->data()));
}

std::string EncodeFrame(std::string_view body) {
  std::string frame;
  AppendFrame(body, &frame);
  return frame;
}

FrameDecoder::FrameDecoder(size_t max_body) : max_body_(max_body), max_encoded_(EncodedSize(max_body + kCrcBytes)) {}

void FrameDecoder::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find(kFrameDelimiter);
    const std::string_view piece = bytes.substr(0, end);
    if (!oversize_ && piece.size() > max_encoded_ - partial_.size()) {
      oversize_ = true;
      std::string().swap(partial_);
    }
    if (end == std::string_view::npos) {
      if (!oversize_) partial_.append(piece);
      return;
    }
    bytes.remove_prefix(end + 1);
    if (std::exchange(oversize_, false)) {
      ++dropped_so_far_;
    } else if (partial_.empty()) {
      EndFrame(piece);
    } else {
      // An idle link holds no buffer.
      std::string encoded = std::exchange(partial_, std::string());
      encoded.append(piece);
      EndFrame(encoded);
    }
  }
}

void FrameDecoder::EndFrame(std::string_view encoded) {
  if (encoded.empty()) return;
  std::string body;
  if (!DecodeCobs(encoded, &body) || body.size() <= kCrcBytes || body.size() - kCrcBytes > max_body_) {
    ++dropped_so_far_;
    return;
  }
  uint32_t crc = 0;
  for (size_t i = 0; i < kCrcBytes; ++i) {
    crc |= uint32_t{static_cast<unsigned char>(body[body.size() - kCrcBytes + i])} << (8 * i);
  }
  body.resize(body.size() - kCrcBytes);
  if (Crc32c(body) != crc) {
    ++dropped_so_far_;
    return;
  }
  bodies_.push_back({std::move(body), dropped_so_far_});
}

std::optional<std::string> FrameDecoder::Next() {
  if (bodies_.empty()) {
    dropped_frames_ = dropped_so_far_;
    return std::nullopt;
  }
  std::string body = std::move(bodies_.front().bytes);
  dropped_frames_ = bodies_.front().dropped_before;
  bodies_.pop_front();
  return body;
}

}  // namespace vcd
