// SPDX-License-Identifier: Apache-2.0
#include "core/link/frame_codec.h"

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

// Appends COBS(`bytes`). Each block is a code byte n, then n - 1 bytes; a zero follows them unless n is 255.
void AppendCobs(std::string_view bytes, std::string* out) {
  size_t at = 0;
  while (true) {
    const std::string_view window = bytes.substr(at, kMaxBlock);
    const size_t zero = window.find('\0');
    const size_t length = zero == std::string_view::npos ? window.size() : zero;
    out->push_back(static_cast<char>(length + 1));
    out->append(window.substr(0, length));
    at += length;
    if (zero != std::string_view::npos) {
      ++at;  // The zero is told by the code; one at the very end still needs the empty block after it.
    } else if (at == bytes.size()) {
      return;
    }
  }
}

// Undoes AppendCobs. False when `encoded` is no such thing.
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

std::string EncodeFrame(std::string_view body) {
  const uint32_t crc = Crc32c(body);
  std::string payload;
  payload.reserve(body.size() + kCrcBytes);
  payload.append(body);
  for (int shift = 0; shift < 32; shift += 8) payload.push_back(static_cast<char>((crc >> shift) & 0xff));

  std::string frame;
  frame.reserve(EncodedSize(payload.size()) + 1);
  AppendCobs(payload, &frame);
  frame.push_back(kFrameDelimiter);
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
    if (!oversize_) partial_.append(piece);
    if (end == std::string_view::npos) return;
    EndFrame();
    bytes.remove_prefix(end + 1);
  }
}

void FrameDecoder::EndFrame() {
  const std::string encoded = std::move(partial_);
  partial_.clear();
  const bool oversize = std::exchange(oversize_, false);

  std::string body;
  if (oversize || !DecodeCobs(encoded, &body) || body.size() <= kCrcBytes || body.size() - kCrcBytes > max_body_) {
    ++dropped_frames_;
    return;
  }
  uint32_t crc = 0;
  for (size_t i = 0; i < kCrcBytes; ++i) {
    crc |= uint32_t{static_cast<unsigned char>(body[body.size() - kCrcBytes + i])} << (8 * i);
  }
  body.resize(body.size() - kCrcBytes);
  if (Crc32c(body) != crc) {
    ++dropped_frames_;
    return;
  }
  bodies_.push_back(std::move(body));
}

std::optional<std::string> FrameDecoder::Next() {
  if (bodies_.empty()) return std::nullopt;
  std::string body = std::move(bodies_.front());
  bodies_.pop_front();
  return body;
}

}  // namespace vcd
