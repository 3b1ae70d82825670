// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_METRICS_RPC_METRICS_H_
#define VCD_DAEMON_METRICS_RPC_METRICS_H_

#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/os/mutex.h"

namespace vcd {

// How often each RPC is called, how it ends and how long it takes. Thread-safe; knows nothing of gRPC but its codes.
class RpcMetrics {
 public:
  // The registry outlives this.
  explicit RpcMetrics(prometheus::Registry& registry);
  RpcMetrics(const RpcMetrics&) = delete;
  RpcMetrics& operator=(const RpcMetrics&) = delete;

  // One method; lives as long as its RpcMetrics.
  class Method {
   public:
    Method(std::string name, prometheus::Gauge& in_flight, prometheus::Family<prometheus::Histogram>& durations)
        : name_(std::move(name)), in_flight_(in_flight), durations_(durations) {}

    void Begin() { in_flight_.Increment(); }
    // How a call was answered, and when: before its end.
    void Answered(absl::StatusCode code, absl::Duration time) ABSL_LOCKS_EXCLUDED(mu_);
    void End() { in_flight_.Decrement(); }

   private:
    static constexpr size_t kCodes = 17;

    const std::string name_;
    prometheus::Gauge& in_flight_;
    prometheus::Family<prometheus::Histogram>& durations_;
    Mutex mu_;
    std::array<prometheus::Histogram*, kCodes> by_code_ ABSL_GUARDED_BY(mu_) = {};  // Null until the code has come.
  };

  // By its full name, "/vcd.v1.PodService/GetPod". There is room for some hundred; the rest is `other`.
  Method& Find(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  prometheus::Family<prometheus::Gauge>& in_flight_;
  prometheus::Family<prometheus::Histogram>& durations_;
  Mutex mu_;
  std::map<std::string, Method> methods_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_DAEMON_METRICS_RPC_METRICS_H_
