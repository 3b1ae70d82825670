// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "core/state/json_printer.h"
#include "core/state/json_reader.h"
#include "core/state/testing/random_messages.h"
#include "google/protobuf/util/json_util.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "test/fuzz/fuzz_target.h"

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  // Those that are short: of a long one nearly every mutation is of a string.
  for (uint32_t seed = 1; seeds.size() < 16; ++seed) {
    vcd::state::v1::PodRecord record;
    vcd::RandomMessages(seed).Fill(record);
    const std::string text = *vcd::PrintJson(record);
    vcd::state::v1::PodRecord read;
    if (text.size() < 4000 && vcd::ReadPrintedJson(text, &read)) seeds.push_back(text);
  }
  return seeds;
}

// Whatever text it reads, the library reads the same in it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  vcd::state::v1::PodRecord read, expected;
  if (!vcd::ReadPrintedJson(text, &read)) return 0;
  if (!google::protobuf::util::JsonStringToMessage(text, &expected).ok()) std::abort();
  if (*vcd::PrintJson(read) != *vcd::PrintJson(expected)) std::abort();
  return 0;
}
