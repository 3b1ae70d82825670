// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_BENCHMARK_SAMPLES_H_
#define VCD_TEST_BENCHMARK_SAMPLES_H_

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/time/time.h"

namespace vcd {

// How long calls took. Not thread-safe.
class Samples {
 public:
  void Add(absl::Duration took) { microseconds_.push_back(absl::ToDoubleMicroseconds(took)); }
  void Add(const Samples& other) {
    microseconds_.insert(microseconds_.end(), other.microseconds_.begin(), other.microseconds_.end());
  }

  // In microseconds; 0 when there are none.
  double Percentile(double percent) const {
    if (microseconds_.empty()) return 0;
    std::vector<double> sorted = microseconds_;
    std::sort(sorted.begin(), sorted.end());
    const double rank = percent / 100 * static_cast<double>(sorted.size());
    return sorted[std::min(sorted.size() - 1, static_cast<size_t>(rank))];
  }

  nlohmann::json ToJson() const {
    return {{"count", microseconds_.size()}, {"p50_us", Percentile(50)}, {"p99_us", Percentile(99)}};
  }

 private:
  std::vector<double> microseconds_;
};

}  // namespace vcd

#endif  // VCD_TEST_BENCHMARK_SAMPLES_H_
