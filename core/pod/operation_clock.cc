// SPDX-License-Identifier: Apache-2.0
#include "core/pod/operation_clock.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace vcd {
namespace {

using Setter = void (v1::BootTimeline::*)(double);

// Sets the timeline's field of a phase; null for what is no part of a boot.
Setter SetterOf(OperationPhase phase) {
  switch (phase) {
    case OperationPhase::kLockWait:
      return &v1::BootTimeline::set_lock_wait_seconds;
    case OperationPhase::kBootQueue:
      return &v1::BootTimeline::set_boot_queue_seconds;
    case OperationPhase::kPersist:
      return &v1::BootTimeline::set_persist_seconds;
    case OperationPhase::kNetwork:
      return &v1::BootTimeline::set_network_seconds;
    case OperationPhase::kVmmBoot:
      return &v1::BootTimeline::set_vmm_boot_seconds;
    case OperationPhase::kGuestConnect:
      return &v1::BootTimeline::set_guest_connect_seconds;
    case OperationPhase::kContainers:
      return &v1::BootTimeline::set_containers_seconds;
    case OperationPhase::kRelease:
      return &v1::BootTimeline::set_release_seconds;
    case OperationPhase::kHooks:
      return &v1::BootTimeline::set_hooks_seconds;
    default:
      return nullptr;
  }
}

// In whole microseconds, which makes short texts.
double Seconds(absl::Duration time) { return static_cast<double>(absl::ToInt64Microseconds(time)) / 1e6; }

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

std::vector<std::pair<OperationPhase, absl::Duration>> OperationClock::Phases() const {
  std::vector<std::pair<OperationPhase, absl::Duration>> phases;
  for (const Step& step : steps_) {
    const absl::Duration time = absl::FromChrono(step.ended - step.began);
    const auto known =
        std::find_if(phases.begin(), phases.end(), [&step](const auto& phase) { return phase.first == step.phase; });
    if (known == phases.end()) {
      phases.emplace_back(step.phase, time);
    } else {
      known->second += time;
    }
  }
  return phases;
}

v1::BootTimeline OperationClock::Timeline() const {
  v1::BootTimeline timeline;
  const int64_t nanoseconds = absl::ToUnixNanos(started_at_);
  timeline.mutable_started_at()->set_seconds(nanoseconds / 1000000000);
  timeline.mutable_started_at()->set_nanos(static_cast<int32_t>(nanoseconds % 1000000000));
  for (const auto& [phase, time] : Phases()) {
    if (const Setter set = SetterOf(phase)) (timeline.*set)(Seconds(time));
  }
  if (!steps_.empty()) timeline.set_total_seconds(Seconds(absl::FromChrono(steps_.back().ended - started_)));
  return timeline;
}

void OperationClock::End(const absl::Status& status) {
  EndPhase(Steady::now());
  OperationReport report;
  report.operation = operation_;
  report.code = status.code();
  report.phases = Phases();
  metrics_.OperationEnded(report);
}

}  // namespace vcd
