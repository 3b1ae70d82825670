// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/daemon_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/metrics/process_stats.h"
#include "daemon/version.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<const PodSnapshot> PodIn(v1::PodState state) {
  v1::Pod pod;
  pod.set_id("secret-name");
  pod.set_state(state);
  return std::make_shared<const PodSnapshot>(pod);
}

TEST(DaemonMetricsTest, ShowsTheMoment) {
  const DaemonMetrics metrics;
  DaemonMetrics::Now now;
  now.pods = {PodIn(v1::POD_STATE_RUNNING), PodIn(v1::POD_STATE_RUNNING), PodIn(v1::POD_STATE_FAILED)};
  now.load.boots.waiting = 7;
  now.load.boots.taken = 2;
  now.load.boots.memory_bytes = 1 << 20;
  now.load.boots.wait = absl::Milliseconds(1500);
  now.load.boots.refused_for_memory = 3;
  now.load.boots.refused_for_deadline = 4;
  now.load.pods_reconciling = 5;
  now.boot_places = 2;
  const std::string text = metrics.Render(now);
  EXPECT_THAT(
      text, AllOf(HasSubstr(absl::StrCat("vcd_build_info{version=\"", kVersion, "\"} 1\n")),
                  HasSubstr("# TYPE vcd_pods gauge\n"), HasSubstr("\nvcd_pods{state=\"running\"} 2\n"),
                  HasSubstr("\nvcd_pods{state=\"failed\"} 1\n"), HasSubstr("\nvcd_pods{state=\"paused\"} 0\n"),
                  HasSubstr("\nvcd_boots_waiting 7\n"), HasSubstr("\nvcd_boots_running 2\n"),
                  HasSubstr("\nvcd_boots_limit 2\n"), HasSubstr("\nvcd_reconciling_pods 5\n"),
                  HasSubstr("\nvcd_boots_memory_bytes 1048576\n"), HasSubstr("\nvcd_boots_expected_wait_seconds 1.5\n"),
                  HasSubstr("\nvcd_boots_refused_total{cause=\"memory\"} 3\n"),
                  HasSubstr("\nvcd_boots_refused_total{cause=\"deadline\"} 4\n")));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("unspecified")), Not(HasSubstr("secret-name"))));
  EXPECT_THAT(text, AllOf(HasSubstr("# TYPE process_cpu_seconds_total counter\n"),
                          HasSubstr("\nprocess_resident_memory_bytes "), HasSubstr("\nprocess_open_fds "),
                          HasSubstr("\nprocess_threads "), HasSubstr("\nprocess_start_time_seconds ")));
}

TEST(DaemonMetricsTest, CountsOperationsAndTheirPhases) {
  DaemonMetrics metrics;
  OperationReport report;
  report.operation = "RunPod";
  report.phases = {{OperationPhase::kLockWait, absl::Microseconds(50)}, {OperationPhase::kVmmBoot, absl::Seconds(2)}};
  metrics.OperationEnded(report);
  report.code = absl::StatusCode::kDeadlineExceeded;
  report.phases.pop_back();
  metrics.OperationEnded(report);
  const std::string text = metrics.Render({});
  EXPECT_THAT(
      text,
      AllOf(HasSubstr("\nvcd_pod_operations_total{code=\"OK\",operation=\"RunPod\"} 1\n"),
            HasSubstr("\nvcd_pod_operations_total{code=\"DEADLINE_EXCEEDED\",operation=\"RunPod\"} 1\n"),
            HasSubstr("\nvcd_pod_operation_seconds_count{operation=\"RunPod\",phase=\"lock_wait\"} 2\n"),
            HasSubstr("\nvcd_pod_operation_seconds_count{operation=\"RunPod\",phase=\"vmm_boot\"} 1\n"),
            HasSubstr("\nvcd_pod_operation_seconds_sum{operation=\"RunPod\",phase=\"vmm_boot\"} 2\n"),
            HasSubstr("\nvcd_pod_operation_seconds_bucket{operation=\"RunPod\",phase=\"vmm_boot\",le=\"1\"} 0\n"),
            HasSubstr("\nvcd_pod_operation_seconds_bucket{operation=\"RunPod\",phase=\"vmm_boot\",le=\"2.5\"} 1\n")));
}

TEST(DaemonMetricsTest, NumberOfOperationNamesIsBounded) {
  DaemonMetrics metrics;
  OperationReport report;
  for (int i = 0; i < 500; ++i) {
    report.operation = absl::StrCat("Operation", i);
    metrics.OperationEnded(report);
  }
  const std::string text = metrics.Render({});
  EXPECT_THAT(text, HasSubstr("\nvcd_pod_operations_total{code=\"OK\",operation=\"other\"} 436\n"));
  EXPECT_THAT(text, Not(HasSubstr("Operation64\"")));
}

TEST(DaemonMetricsTest, CountsFsyncsByWhatTheySync) {
  DaemonMetrics metrics;
  metrics.Synced(SyncTarget::kFile, absl::Milliseconds(3), true);
  metrics.Synced(SyncTarget::kFile, absl::Milliseconds(3), false);
  const std::string text = metrics.Render({});
  EXPECT_THAT(text, AllOf(HasSubstr("\nvcd_fsyncs_total{target=\"file\"} 2\n"),
                          HasSubstr("\nvcd_fsyncs_total{target=\"directory\"} 0\n"),
                          HasSubstr("\nvcd_fsync_errors_total{target=\"file\"} 1\n"),
                          HasSubstr("\nvcd_fsync_seconds_count{target=\"file\"} 2\n"),
                          HasSubstr("\nvcd_fsync_seconds_bucket{target=\"file\",le=\"0.005\"} 2\n")));
}

TEST(DaemonMetricsTest, RecoveryIsShownOnceItHasEnded) {
  DaemonMetrics metrics;
  EXPECT_THAT(metrics.Render({}), Not(HasSubstr("vcd_recovery_seconds")));
  metrics.PodRecovered(RecoveryOutcome::kAdopted);
  metrics.Reconciled(absl::Seconds(1));
  metrics.Reconciled(absl::Milliseconds(1500));
  const std::string text = metrics.Render({});
  EXPECT_THAT(text, AllOf(HasSubstr("\nvcd_recovery_seconds 1.5\n"),
                          HasSubstr("\nvcd_recovered_pods_total{outcome=\"adopted\"} 1\n"),
                          HasSubstr("\nvcd_recovered_pods_total{outcome=\"damaged\"} 0\n")));
}

TEST(DaemonMetricsTest, CountsGuestsThatAreSilent) {
  DaemonMetrics metrics;
  metrics.HeartbeatMissed();
  metrics.HeartbeatMissed();
  metrics.GuestFoundSilent();
  EXPECT_THAT(metrics.Render({}),
              AllOf(HasSubstr("\nvcd_guest_heartbeats_missed_total 2\n"), HasSubstr("\nvcd_guests_silent_total 1\n")));
}

TEST(DaemonMetricsTest, CountsCallsByMethodAndCode) {
  DaemonMetrics metrics;
  RpcMetrics::Method& get = metrics.rpcs().Find("/vcd.v1.PodService/GetPod");
  get.Begin();
  get.Begin();
  get.Answered(absl::StatusCode::kNotFound, absl::Milliseconds(2));
  get.End();
  EXPECT_EQ(&metrics.rpcs().Find("/vcd.v1.PodService/GetPod"), &get);
  const std::string text = metrics.Render({});
  EXPECT_THAT(text, AllOf(HasSubstr("\nvcd_rpcs_in_flight{method=\"vcd.v1.PodService/GetPod\"} 1\n"),
                          HasSubstr("\nvcd_rpc_duration_seconds_count{code=\"NOT_FOUND\","
                                    "method=\"vcd.v1.PodService/GetPod\"} 1\n")));
}

TEST(DaemonMetricsTest, NumberOfMethodsIsBounded) {
  DaemonMetrics metrics;
  for (int i = 0; i < 500; ++i) metrics.rpcs().Find(absl::StrCat("/m/", i)).Begin();
  const std::string text = metrics.Render({});
  EXPECT_THAT(text, HasSubstr("\nvcd_rpcs_in_flight{method=\"other\"} 372\n"));
  EXPECT_THAT(text, Not(HasSubstr("m/128\"")));
}

// Every line is a comment or `name{labels} value`, each family has its help and type, and no series comes twice: what
// Prometheus refuses.
TEST(DaemonMetricsTest, TextIsWellFormed) {
  DaemonMetrics metrics;
  OperationReport report;
  report.operation = "StopPod";
  report.phases = {{OperationPhase::kTearDown, absl::Seconds(1)}};
  metrics.OperationEnded(report);
  metrics.rpcs().Find("/a/b").Answered(absl::StatusCode::kOk, absl::Seconds(1));
  const std::string text = metrics.Render({});
  std::map<std::string, int> series;
  std::map<std::string, int> types;
  ASSERT_EQ(text.back(), '\n');
  for (const absl::string_view line : absl::StrSplit(text.substr(0, text.size() - 1), '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words[0] == "#") {
      ASSERT_GE(words.size(), 4u) << line;
      if (words[1] == "TYPE") {
        EXPECT_EQ(++types[words[2]], 1) << line;
      }
      continue;
    }
    ASSERT_EQ(words.size(), 2u) << line;
    EXPECT_EQ(++series[words[0]], 1) << line;
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(words[1], &value)) << line;
  }
  EXPECT_EQ(types.count("vcd_pod_operation_seconds"), 1u);
}

TEST(ProcessStatsTest, ShowsThisProcess) {
  const ProcessStats stats = ReadProcessStats();
  EXPECT_GT(stats.resident_bytes, 100u << 10);
  EXPECT_GT(stats.virtual_bytes, stats.resident_bytes);
  EXPECT_GE(stats.open_fds, 3u);
  EXPECT_GE(stats.max_fds, stats.open_fds);
  EXPECT_GE(stats.threads, 1u);
}

}  // namespace
}  // namespace vcd
