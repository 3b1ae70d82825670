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

// Appends COBS of the bytes that are added: blocks of a code byte n, then n - 1 bytes; a zero follows them unless n is
// 255. A zero at the very end still needs the empty block after it.
class CobsWriter {
 public:
  explicit CobsWriter(std::string* out) : out_(out) { Begin(); }

  void Add(std::string_view bytes) {
    while (!bytes.empty()) {
      // A full block ends when more comes, so that no empty one follows the last.
      if (length_ == kMaxBlock) Begin();
      const std::string_view window = bytes.substr(0, kMaxBlock - length_);
      const size_t zero = window.find('\0');
      const std::string_view piece = window.substr(0, zero);
      out_->append(piece);
      length_ += piece.size();
      bytes.remove_prefix(piece.size());
      if (zero == std::string_view::npos) continue;
      bytes.remove_prefix(1);  // The code tells it.
      Begin();
    }
  }

  void Finish() { (*out_)[code_at_] = static_cast<char>(length_ + 1); }

 private:
  void Begin() {
    if (begun_) Finish();
    begun_ = true;
    code_at_ = out_->size();
    length_ = 0;
    out_->push_back('\0');
  }

  std::string* const out_;
  bool begun_ = false;
  size_t code_at_ = 0;
  size_t length_ = 0;
};

// Undoes CobsWriter. False when `encoded` is no such thing.
bool DecodeCobs(std::string_view encoded, std::string* out) {
  out->reserve(encoded.size());
  size_t at = 0;
  while (at < encoded.size()) {
    const size_t code = static_cast<unsigned char>(encoded[at]);
    ++at;
    if (code == 0 || code - 1 > encoded.size() - at) return false;
    out->append(encoded.substr(at, code - 1));
    at += code - 1;
    if (code - 1 < kMaxBlock && at < encoded.size()) out->push_back('\0');
  }
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
  const size_t needed = out->size() + EncodedSize(body.size() + kCrcBytes) + 1;
  // Not less than twice as much as before: a queue of many small frames is not copied for each of them.
  if (out->capacity() < needed) out->reserve(std::max(needed, 2 * out->capacity()));
  CobsWriter writer(out);
  writer.Add(body);
  writer.Add(std::string_view(tail, sizeof(tail)));
  writer.Finish();
  out->push_back(kFrameDelimiter);
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
