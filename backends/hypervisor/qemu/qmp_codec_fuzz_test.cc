// SPDX-License-Identifier: Apache-2.0
// Whatever a peer writes, splitting and parsing end without a crash.
#include <cstddef>
#include <cstdint>

#include "backends/hypervisor/qemu/qmp_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vcd::QmpLineSplitter splitter;
  if (!splitter.Append(reinterpret_cast<const char*>(data), size).ok()) return 0;
  while (auto line = splitter.Next()) vcd::ParseQmpMessage(*line).IgnoreError();
  return 0;
}
