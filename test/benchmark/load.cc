// SPDX-License-Identifier: Apache-2.0
#include "test/benchmark/load.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/clock.h"

namespace vcd {

nlohmann::json LoadResult::ToJson() const {
  nlohmann::json json = samples.ToJson();
  json["seconds"] = absl::ToDoubleSeconds(took);
  json["per_second"] = calls / absl::ToDoubleSeconds(took);
  return json;
}

LoadResult RunLoad(int clients, int count, const std::function<void(int client, int index)>& call) {
  LoadResult result;
  result.calls = count;
  std::vector<Samples> samples(static_cast<size_t>(clients));
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  const absl::Time begin = absl::Now();
  for (int client = 0; client < clients; ++client) {
    threads.emplace_back([&, client] {
      for (int index = next++; index < count; index = next++) {
        const absl::Time call_begin = absl::Now();
        call(client, index);
        samples[static_cast<size_t>(client)].Add(absl::Now() - call_begin);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  result.took = absl::Now() - begin;
  for (const Samples& part : samples) result.samples.Add(part);
  return result;
}

}  // namespace vcd
