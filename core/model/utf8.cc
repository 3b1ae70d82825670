// SPDX-License-Identifier: Apache-2.0
#include "core/model/utf8.h"

#include <cstddef>
#include <cstdint>

namespace vcd {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";  // U+FFFD.

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

}  // namespace vcd
