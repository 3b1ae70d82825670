// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_PROCESS_DETACH_KEYS_H_
#define VCD_CLIENT_PROCESS_DETACH_KEYS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace vcd::client {

// What is typed to leave a process alone, as container tools have it: `ctrl-p,ctrl-q`. What may become the keys is held
// back until the next key tells.
class DetachKeys {
 public:
  static constexpr char kDefault[] = "ctrl-p,ctrl-q";

  // Nothing is ever pressed.
  DetachKeys() = default;

  // A list of keys with commas between: one character, or `ctrl-` and a letter or one of @ [ \ ] ^ _. Empty is none.
  // INVALID_ARGUMENT says what is wrong.
  static absl::StatusOr<DetachKeys> Parse(const std::string& text);

  // Takes what was typed; returns what goes to the process. Once pressed() the rest is thrown away.
  std::string Filter(std::string_view typed);
  bool pressed() const { return !keys_.empty() && matched_ == keys_.size(); }

 private:
  std::string keys_;
  size_t matched_ = 0;  // How many of them were typed last, and held back.
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_PROCESS_DETACH_KEYS_H_
