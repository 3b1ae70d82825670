// SPDX-License-Identifier: Apache-2.0
// Whatever a configuration file holds, reading and checking it end without a crash.
#include "daemon/config/config_loader.h"
#include "test/fuzz/fuzz_target.h"

std::vector<std::string> FuzzSeeds() {
  return {
      "",
      "[",
      "listen = \"unix:///tmp/a.sock\"\nstate_dir = '/s'\nmax_parallel_boots = 3\n[metrics]\nlisten = "
      "\"127.0.0.1:9400\"\n",
      "[qemu]\npath = \"/q\"\nmachine_type = \"q35\"\ndefault_memory_mib = 256 # MiB\n[health]\ninterval_seconds = 0\n",
      "networks.default_subnet = \"10.88.0.0/16\"\n[networks]\ncni_plugin_dirs = [\"/p\", \"\"\"/q\"\"\"]\n",
      "[templates]\ndisabled = true\nwarm_machines = 0x10\n[[hooks]]\ntimeout_seconds = 1_000\nwhen = "
      "1979-05-27T07:32:00Z\n",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto config = vcd::ParseConfig(std::string(reinterpret_cast<const char*>(data), size), "fuzz.toml");
  if (!config.ok()) return 0;
  vcd::FillDefaults(*config);
  vcd::CheckConfig(*config).IgnoreError();
  return 0;
}
