// SPDX-License-Identifier: Apache-2.0
#include "client/process/detach_keys.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace vcd::client {
namespace {

constexpr size_t kMostKeys = 16;

// The byte of one key; -1 for what is none.
int KeyByte(const std::string& key) {
  if (key.size() == 1) return static_cast<unsigned char>(key[0]) < 0x80 ? key[0] : -1;
  absl::string_view rest = key;
  if (!absl::ConsumePrefix(&rest, "ctrl-") || rest.size() != 1) return -1;
  const char of = absl::ascii_toupper(static_cast<unsigned char>(rest[0]));
  return of >= '@' && of <= '_' ? of - '@' : -1;
}

}  // namespace

absl::StatusOr<DetachKeys> DetachKeys::Parse(const std::string& text) {
  DetachKeys keys;
  if (text.empty()) return keys;
  for (const std::string& key : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const int byte = KeyByte(key);
    if (byte < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--detach-keys \"", text, "\": \"", key,
                       "\" is no key; give characters, or ctrl- and a letter or one of @ [ \\ ] ^ _, with commas "
                       "between, as in ",
                       kDefault));
    }
    keys.keys_.push_back(static_cast<char>(byte));
  }
  if (keys.keys_.size() > kMostKeys) {
    return absl::InvalidArgumentError(absl::StrCat("--detach-keys \"", text, "\": has more than ", kMostKeys, " keys"));
  }
  return keys;
}

std::string DetachKeys::Filter(std::string_view typed) {
  if (keys_.empty()) return std::string(typed);
  std::string passed;
  for (const char byte : typed) {
    if (pressed()) break;
    // The longest beginning of the keys that what is held back now ends with; what is before it goes on.
    std::string held = keys_.substr(0, matched_) + byte;
    while (held != keys_.substr(0, held.size())) {
      passed.push_back(held[0]);
      held.erase(0, 1);
    }
    matched_ = held.size();
  }
  return passed;
}

}  // namespace vcd::client
