// SPDX-License-Identifier: Apache-2.0
#include "daemon/convert/safe_text.h"

#include <cstdint>

namespace vcd {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";  // U+FFFD.
constexpr char kEllipsis[] = " \xE2\x80\xA6 ";   // U+2026 between blanks.

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// The length of the character that `text` begins with; 0 when it begins with none. Overlong forms, surrogates and
// values past U+10FFFF are none (RFC 3629 §4).
size_t CharacterLength(absl::string_view text) {
  const auto at = [text](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const auto in = [&at](size_t i, uint8_t low, uint8_t high) { return at(i) >= low && at(i) <= high; };
  const uint8_t first = at(0);
  if (first >= 0x01 && first <= 0x7F) return 1;
  if (first >= 0xC2 && first <= 0xDF) return in(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const uint8_t low = first == 0xE0 ? 0xA0 : 0x80;
    const uint8_t high = first == 0xED ? 0x9F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const uint8_t low = first == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xF4 ? 0x8F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

size_t EncodedSize(char byte) { return byte >= 0x20 && byte <= 0x7E && byte != '%' ? 1 : 3; }

}  // namespace

std::string ToUtf8(absl::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t length = CharacterLength(text.substr(i));
    if (length == 0) {
      safe.append(kReplacement);
      ++i;
    } else {
      safe.append(text.data() + i, length);
      i += length;
    }
  }
  return safe;
}

size_t PercentEncodedSize(absl::string_view text) {
  size_t size = 0;
  for (char byte : text) size += EncodedSize(byte);
  return size;
}

std::string CutMiddle(const std::string& text, size_t max_encoded_bytes) {
  if (PercentEncodedSize(text) <= max_encoded_bytes) return text;
  const size_t ellipsis = PercentEncodedSize(kEllipsis);
  const size_t room = max_encoded_bytes > ellipsis ? max_encoded_bytes - ellipsis : 0;
  size_t head = 0;
  for (size_t used = 0; head < text.size() && (used += EncodedSize(text[head])) <= room / 2;) ++head;
  while (head > 0 && IsContinuation(text[head])) --head;
  size_t tail = text.size();
  for (size_t used = 0; tail > head && (used += EncodedSize(text[tail - 1])) <= room - room / 2;) --tail;
  while (tail < text.size() && IsContinuation(text[tail])) ++tail;
  return text.substr(0, head) + kEllipsis + text.substr(tail);
}

}  // namespace vcd
