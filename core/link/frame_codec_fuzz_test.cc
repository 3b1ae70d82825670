// SPDX-License-Identifier: Apache-2.0
// libFuzzer: bazel build --config=fuzz //core/link:frame_codec_fuzz_test
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/link/frame_codec.h"

// Noise must neither crash the decoder nor put it out of step with the frame that follows.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  vcd::FrameDecoder decoder(4096);
  decoder.Feed(input);
  while (decoder.Next()) {
  }
  decoder.Feed(std::string_view("\0", 1));
  while (decoder.Next()) {
  }
  const std::string_view body = input.substr(0, 4096);
  if (body.empty()) return 0;
  decoder.Feed(vcd::EncodeFrame(body));
  if (decoder.Next() != body) std::abort();
  return 0;
}
