// SPDX-License-Identifier: Apache-2.0
// Whatever a peer writes, splitting and parsing end without a crash.
#include "backends/hypervisor/qemu/qmp_codec.h"
#include "test/fuzz/fuzz_target.h"

std::vector<std::string> FuzzSeeds() {
  return {
      R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, "capabilities": ["oob"]}})"
      "\r\n",
      R"({"return": {"status": "running", "singlestep": false}, "id": 7})"
      "\r\n",
      R"({"id": 8, "error": {"class": "GenericError", "desc": "Bus 'root-1' does not \"exist\""}})"
      "\r\n",
      R"({"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-panic"},
          "timestamp": {"seconds": 1700000000, "microseconds": 12}})"
      "\r\n"
      R"({"return": [{"name": "a"}, null, -1.5e3], "id": 9})"
      "\r\n",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vcd::QmpLineSplitter splitter;
  if (!splitter.Append(reinterpret_cast<const char*>(data), size).ok()) return 0;
  while (auto line = splitter.Next()) vcd::ParseQmpMessage(*line).IgnoreError();
  return 0;
}
