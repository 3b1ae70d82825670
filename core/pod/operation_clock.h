// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_OPERATION_CLOCK_H_
#define VCD_CORE_POD_OPERATION_CLOCK_H_

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/metric/runtime_metrics.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// Measures the phases of one operation on a pod, from waiting for its lock to its end. Goes from thread to thread with
// the operation: one at a time.
class OperationClock {
 public:
  // Starts, waiting for the lock. `metrics` outlives this.
  OperationClock(std::string operation, RuntimeMetrics& metrics);

  // Ends the phase that it is in and begins another; nothing when it is in that one already.
  void Enter(OperationPhase phase);

  // The one that it is in.
  OperationPhase phase() const { return phase_; }

  // Whether a machine was booted.
  bool booted() const;

  // The phases that have ended, so far as they belong to a boot.
  v1::BootTimeline Timeline() const;

  // Ends the last phase and tells the metrics. Once, after all else.
  void End(const absl::Status& status);

 private:
  using Steady = std::chrono::steady_clock;
  struct Step {
    OperationPhase phase;
    Steady::time_point began;
    Steady::time_point ended;
  };

  // Those that have ended, each once, in the order in which it came to them.
  std::vector<std::pair<OperationPhase, absl::Duration>> Phases() const;
  void EndPhase(Steady::time_point now) { steps_.push_back({phase_, phase_began_, now}); }

  const std::string operation_;
  RuntimeMetrics& metrics_;
  const absl::Time started_at_;  // As people tell the time; what is measured is steady.
  const Steady::time_point started_;
  OperationPhase phase_ = OperationPhase::kLockWait;
  Steady::time_point phase_began_;
  std::vector<Step> steps_;  // Ended.
};

}  // namespace vcd

#endif  // VCD_CORE_POD_OPERATION_CLOCK_H_
