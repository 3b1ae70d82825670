// SPDX-License-Identifier: Apache-2.0
#include "core/link/frame_codec.h"
#include "test/fuzz/fuzz_target.h"

namespace vcd {

namespace {

enum Step : unsigned char { kFrame = 0, kRaw = 1 };

void AddStep(Step step, std::string_view bytes, std::string* script) {
  script->push_back(static_cast<char>(step));
  script->push_back(static_cast<char>(bytes.size() & 0xff));
  script->push_back(static_cast<char>(bytes.size() >> 8));
  script->append(bytes);
}

}  // namespace

void AddFrameStep(std::string_view body, std::string* script) { AddStep(kFrame, body, script); }

void AddRawStep(std::string_view bytes, std::string* script) { AddStep(kRaw, bytes, script); }

std::vector<std::string> WireOf(std::string_view script) {
  std::vector<std::string> wire;
  while (script.size() > 3) {
    const bool raw = (script[0] & 1) == kRaw;
    const size_t size = static_cast<unsigned char>(script[1]) + (size_t{static_cast<unsigned char>(script[2])} << 8);
    const std::string_view bytes = script.substr(3, size);
    script.remove_prefix(3 + bytes.size());
    wire.push_back(raw ? std::string(bytes) : EncodeFrame(bytes));
  }
  return wire;
}

}  // namespace vcd
