// SPDX-License-Identifier: Apache-2.0
// Whatever a configuration file holds, reading and checking it end without a crash.
#include <cstddef>
#include <cstdint>
#include <string>

#include "daemon/config/config_loader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto config = vcd::ParseConfig(std::string(reinterpret_cast<const char*>(data), size), "fuzz.toml");
  if (!config.ok()) return 0;
  vcd::FillDefaults(*config);
  vcd::CheckConfig(*config).IgnoreError();
  return 0;
}
