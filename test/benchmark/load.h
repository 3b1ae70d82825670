// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_BENCHMARK_LOAD_H_
#define VCD_TEST_BENCHMARK_LOAD_H_

#include <functional>
#include <nlohmann/json.hpp>

#include "absl/time/time.h"
#include "test/benchmark/samples.h"

namespace vcd {

// What a run of many calls took.
struct LoadResult {
  Samples samples;
  int calls = 0;
  absl::Duration took;

  nlohmann::json ToJson() const;
};

// Calls `call(client, index)` for every index below `count` on `clients` threads, each index once, and measures every
// call and the whole. Blocks.
LoadResult RunLoad(int clients, int count, const std::function<void(int client, int index)>& call);

}  // namespace vcd

#endif  // VCD_TEST_BENCHMARK_LOAD_H_
