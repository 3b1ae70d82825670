// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/rpc_metrics.h"

#include <tuple>
#include <utility>

namespace vcd {
namespace {

// The API has some forty.
constexpr size_t kMaxMethods = 128;

const prometheus::Histogram::BucketBoundaries& Buckets() {
  static const auto& buckets = *new prometheus::Histogram::BucketBoundaries{
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return buckets;
}

}  // namespace

RpcMetrics::RpcMetrics(prometheus::Registry& registry)
    : in_flight_(prometheus::BuildGauge()
                     .Name("vcd_rpcs_in_flight")
                     .Help("Calls that have not ended, by method.")
                     .Register(registry)),
      durations_(prometheus::BuildHistogram()
                     .Name("vcd_rpc_duration_seconds")
                     .Help("Time from a call's arrival to its status, by method and status code.")
                     .Register(registry)) {}

void RpcMetrics::Method::Answered(absl::StatusCode code, absl::Duration time) {
  const size_t index = static_cast<size_t>(code);
  prometheus::Histogram* histogram = nullptr;
  {
    MutexLock lock(&mu_);
    prometheus::Histogram*& known = by_code_[index < kCodes ? index : static_cast<size_t>(absl::StatusCode::kUnknown)];
    if (known == nullptr) {
      known = &durations_.Add({{"method", name_}, {"code", absl::StatusCodeToString(code)}}, Buckets());
    }
    histogram = known;
  }
  histogram->Observe(absl::ToDoubleSeconds(time));
}

RpcMetrics::Method& RpcMetrics::Find(const std::string& name) {
  MutexLock lock(&mu_);
  auto found = methods_.find(name);
  if (found != methods_.end()) return found->second;
  std::string label = "other";
  if (methods_.size() < kMaxMethods) label = name.substr(!name.empty() && name[0] == '/' ? 1 : 0);
  // What is beyond shares one entry, so that strange names do not fill the memory.
  const std::string& key = label == "other" ? label : name;
  return methods_
      .emplace(std::piecewise_construct, std::forward_as_tuple(key),
               std::forward_as_tuple(label, in_flight_.Add({{"method", label}}), durations_))
      .first->second;
}

}  // namespace vcd
