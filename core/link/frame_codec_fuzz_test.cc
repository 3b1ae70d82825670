// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "core/link/frame_codec.h"
#include "test/fuzz/fuzz_target.h"

namespace {

constexpr size_t kMaxBody = 4096;

void Check(bool good) {
  if (!good) std::abort();
}

std::vector<std::string> Drain(vcd::FrameDecoder* decoder) {
  std::vector<std::string> bodies;
  while (auto body = decoder->Next()) {
    Check(!body->empty() && body->size() <= kMaxBody);
    bodies.push_back(*std::move(body));
  }
  return bodies;
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::string overlong(300, 'x');
  overlong[254] = '\0';
  return {"",
          std::string(4, '\0'),
          vcd::EncodeFrame("a"),
          vcd::EncodeFrame(std::string(3, '\0')),
          vcd::EncodeFrame(std::string(253, 'x')) + vcd::EncodeFrame(std::string(254, 'x')),
          vcd::EncodeFrame(overlong),
          vcd::EncodeFrame("one") + "junk" + std::string(1, '\0') + vcd::EncodeFrame("two").substr(0, 4)};
}

// Noise neither crashes the decoder nor puts it out of step with the frame that follows, and it does not matter in
// which pieces it comes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  vcd::FrameDecoder whole(kMaxBody);
  whole.Feed(input);
  vcd::FrameDecoder pieces(kMaxBody);
  const size_t piece = 1 + (size == 0 ? 0 : data[0] % 17);
  for (size_t at = 0; at < size; at += piece) pieces.Feed(input.substr(at, piece));
  Check(Drain(&whole) == Drain(&pieces));
  Check(whole.dropped_frames() == pieces.dropped_frames());

  const std::string_view body = input.substr(0, kMaxBody);
  if (body.empty()) return 0;
  whole.Feed(std::string_view("\0", 1));
  Drain(&whole);
  whole.Feed(vcd::EncodeFrame(body));
  Check(whole.Next() == body);
  return 0;
}
