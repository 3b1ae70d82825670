// SPDX-License-Identifier: Apache-2.0
#include "core/pod/operation_clock.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace vcd {
namespace {

// kUnspecified for what is no part of a boot.
v1::BootPhase BootPhaseOf(OperationPhase phase) {
  switch (phase) {
    case OperationPhase::kLockWait:
      return v1::BOOT_PHASE_LOCK_WAIT;
    case OperationPhase::kBootQueue:
      return v1::BOOT_PHASE_BOOT_QUEUE;
    case OperationPhase::kPersist:
      return v1::BOOT_PHASE_PERSIST;
    case OperationPhase::kNetwork:
      return v1::BOOT_PHASE_NETWORK;
    case OperationPhase::kVmmBoot:
      return v1::BOOT_PHASE_VMM_BOOT;
    case OperationPhase::kGuestConnect:
      return v1::BOOT_PHASE_GUEST_CONNECT;
    case OperationPhase::kContainers:
      return v1::BOOT_PHASE_CONTAINERS;
    case OperationPhase::kRelease:
      return v1::BOOT_PHASE_RELEASE;
    default:
      return v1::BOOT_PHASE_UNSPECIFIED;
  }
}

// In whole microseconds, which makes short texts.
double Seconds(std::chrono::steady_clock::duration time) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(time).count()) / 1e6;
}

}  // namespace

OperationClock::OperationClock(std::string operation, RuntimeMetrics& metrics)
    : operation_(std::move(operation)),
      metrics_(metrics),
      started_at_(absl::Now()),
      started_(Steady::now()),
      phase_began_(started_) {
  steps_.reserve(10);
}

void OperationClock::Enter(OperationPhase phase) {
  if (phase == phase_) return;
  const Steady::time_point now = Steady::now();
  EndPhase(now);
  phase_ = phase;
  phase_began_ = now;
}

bool OperationClock::booted() const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [](const Step& step) { return step.phase == OperationPhase::kVmmBoot; });
}

v1::BootTimeline OperationClock::Timeline() const {
  v1::BootTimeline timeline;
  const int64_t nanoseconds = absl::ToUnixNanos(started_at_);
  timeline.mutable_started_at()->set_seconds(nanoseconds / 1000000000);
  timeline.mutable_started_at()->set_nanos(static_cast<int32_t>(nanoseconds % 1000000000));
  for (const Step& step : steps_) {
    const v1::BootPhase phase = BootPhaseOf(step.phase);
    if (phase == v1::BOOT_PHASE_UNSPECIFIED) continue;
    v1::BootStep& shown = *timeline.add_steps();
    shown.set_phase(phase);
    shown.set_offset_seconds(Seconds(step.began - started_));
    shown.set_duration_seconds(Seconds(step.ended - step.began));
  }
  return timeline;
}

void OperationClock::End(const absl::Status& status) {
  EndPhase(Steady::now());
  OperationReport report;
  report.operation = operation_;
  report.code = status.code();
  for (const Step& step : steps_) {
    const absl::Duration time = absl::FromChrono(step.ended - step.began);
    const auto known = std::find_if(report.phases.begin(), report.phases.end(),
                                    [&step](const auto& phase) { return phase.first == step.phase; });
    if (known == report.phases.end()) {
      report.phases.emplace_back(step.phase, time);
    } else {
      known->second += time;
    }
  }
  metrics_.OperationEnded(report);
}

}  // namespace vcd
