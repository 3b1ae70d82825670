// SPDX-License-Identifier: Apache-2.0
#include "daemon/convert/safe_text.h"

#include <cstdint>

namespace vcd {
namespace {

constexpr char kEllipsis[] = " \xE2\x80\xA6 ";  // U+2026 between blanks.

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

size_t EncodedSize(char byte) { return byte >= 0x20 && byte <= 0x7E && byte != '%' ? 1 : 3; }

}  // namespace

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
