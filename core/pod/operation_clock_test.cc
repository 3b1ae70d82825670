// SPDX-License-Identifier: Apache-2.0
#include "core/pod/operation_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "core/metric/testing/recorded_metrics.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(OperationClockTest, ReportsEachPhaseOnceWithAllItsTime) {
  RecordedMetrics metrics;
  const absl::Time began = absl::Now();
  OperationClock clock("RunPod", metrics);
  for (const OperationPhase phase : {OperationPhase::kPersist, OperationPhase::kVmmBoot, OperationPhase::kVmmBoot,
                                     OperationPhase::kPersist, OperationPhase::kRelease}) {
    clock.Enter(phase);
  }
  clock.End(absl::AbortedError("why"));
  ASSERT_THAT(metrics.operations(), SizeIs(1));
  const OperationReport report = metrics.operations()[0];
  EXPECT_EQ(report.operation, "RunPod");
  EXPECT_EQ(report.code, absl::StatusCode::kAborted);
  EXPECT_THAT(metrics.PhasesOf("RunPod"), ElementsAre("lock_wait", "persist", "vmm_boot", "release"));
  absl::Duration sum;
  for (const auto& [phase, time] : report.phases) {
    EXPECT_GE(time, absl::ZeroDuration());
    sum += time;
  }
  EXPECT_LE(sum, absl::Now() - began + absl::Seconds(1));
}

TEST(OperationClockTest, TimelineShowsThePhasesOfABootThatHaveEnded) {
  RecordedMetrics metrics;
  OperationClock clock("RunPod", metrics);
  clock.Enter(OperationPhase::kWork);
  clock.Enter(OperationPhase::kNetwork);
  EXPECT_FALSE(clock.booted());
  clock.Enter(OperationPhase::kVmmBoot);
  const absl::Time began = absl::Now();
  while (absl::Now() < began + absl::Milliseconds(2)) continue;
  EXPECT_EQ(clock.Timeline().vmm_boot_seconds(), 0);
  clock.Enter(OperationPhase::kPersist);
  EXPECT_TRUE(clock.booted());
  const v1::BootTimeline timeline = clock.Timeline();
  EXPECT_GE(timeline.vmm_boot_seconds(), 0.001);
  EXPECT_EQ(timeline.release_seconds(), 0);
  EXPECT_GE(timeline.total_seconds(), timeline.vmm_boot_seconds());
  EXPECT_GT(timeline.started_at().seconds(), 0);
}

}  // namespace
}  // namespace vcd
