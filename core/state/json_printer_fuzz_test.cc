// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "core/state/json_printer.h"
#include "core/state/testing/library_json.h"
#include "core/state/testing/random_messages.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "test/fuzz/fuzz_target.h"

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    vcd::state::v1::PodRecord record;
    vcd::RandomMessages(seed).Fill(record);
    seeds.push_back(record.SerializeAsString());
  }
  return seeds;
}

// Whatever a record holds, it is printed as the library prints it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vcd::state::v1::PodRecord record;
  if (!record.ParseFromArray(data, static_cast<int>(size))) return 0;
  const absl::StatusOr<std::string> printed = vcd::PrintJson(record);
  const absl::StatusOr<std::string> expected = vcd::LibraryJson(record);
  if (printed.ok() != expected.ok() || (printed.ok() && *printed != *expected)) std::abort();
  return 0;
}
