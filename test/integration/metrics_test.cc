// SPDX-License-Identifier: Apache-2.0
// What a daemon tells Prometheus of what clients did, on both kinds of address.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "test/harness/api_client.h"
#include "test/harness/http_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MetricsTest : public testing::TestWithParam<bool> {
 protected:
  void Start() {
    daemon_.config().mutable_metrics()->set_listen(GetParam() ? "unix://" + daemon_.root() + "/run/metrics.sock"
                                                              : "127.0.0.1:0");
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
  }

  std::string Scrape() { return HttpGet(daemon_.metrics_address()); }

  TestDaemon daemon_;
};

INSTANTIATE_TEST_SUITE_P(All, MetricsTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Unix" : "Tcp"; });

TEST_P(MetricsTest, NumbersAreThoseOfWhatWasDone) {
  Start();
  ApiClient api(daemon_.Connect());
  for (const char* id : {"pod-a", "pod-b", "pod-c"}) ASSERT_THAT(api.RunPod(PodNamed(id)), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api.CreatePod(PodNamed("pod-d")), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api.PausePod("pod-b"), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api.StopPod("pod-c"), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api.GetPod("nobody"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
  const std::string text = Scrape();
  ASSERT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_EQ(MetricValue(text, "vcd_pods{state=\"running\"}"), 1);
  EXPECT_EQ(MetricValue(text, "vcd_pods{state=\"ready\"}"), 1);
  EXPECT_EQ(MetricValue(text, "vcd_pods{state=\"paused\"}"), 1);
  EXPECT_EQ(MetricValue(text, "vcd_pods{state=\"stopped\"}"), 1);
  EXPECT_EQ(MetricValue(text, "vcd_boots_waiting"), 0);
  EXPECT_EQ(MetricValue(text, "vcd_boots_running"), 0);
  for (const char* phase :
       {"lock_wait", "boot_queue", "persist", "network", "vmm_boot", "guest_connect", "containers", "release"}) {
    EXPECT_EQ(
        MetricValue(text, absl::StrCat("vcd_pod_operation_seconds_count{operation=\"RunPod\",phase=\"", phase, "\"}")),
        3)
        << phase;
  }
  EXPECT_EQ(MetricValue(text, "vcd_pod_operation_seconds_count{operation=\"StopPod\",phase=\"tear_down\"}"), 1);
  EXPECT_EQ(MetricValue(text, "vcd_pod_operations_total{code=\"OK\",operation=\"RunPod\"}"), 3);
  EXPECT_EQ(MetricValue(text, "vcd_rpc_duration_seconds_count{code=\"OK\",method=\"vcd.v1.PodService/RunPod\"}"), 3);
  EXPECT_EQ(MetricValue(text, "vcd_rpc_duration_seconds_count{code=\"NOT_FOUND\",method=\"vcd.v1.PodService/GetPod\"}"),
            1);
  EXPECT_GE(MetricValue(text, "vcd_fsyncs_total{target=\"file\"}").value_or(0), 4 * 2);
  EXPECT_TRUE(MetricValue(text, "vcd_recovery_seconds").has_value());
  EXPECT_GT(MetricValue(text, "process_resident_memory_bytes").value_or(0), 1 << 20);
  // No label holds what clients choose.
  EXPECT_THAT(text, Not(HasSubstr("pod-a")));

  daemon_.Stop();
  ASSERT_TRUE(daemon_.Start().ok());
  const std::string after = Scrape();
  EXPECT_EQ(MetricValue(after, "vcd_recovered_pods_total{outcome=\"adopted\"}"), 3);
  EXPECT_EQ(MetricValue(after, "vcd_recovered_pods_total{outcome=\"unchanged\"}"), 1);
  EXPECT_EQ(MetricValue(after, "vcd_reconciling_pods"), 0);
  EXPECT_EQ(MetricValue(after, "vcd_pod_operation_seconds_count{operation=\"Reconcile\",phase=\"lock_wait\"}"), 4);
}

TEST_P(MetricsTest, StreamsAndWaitsAreInFlightUntilTheyEnd) {
  Start();
  ApiClient api(daemon_.Connect());
  const std::string in_flight = "vcd_rpcs_in_flight{method=\"vcd.v1.EventService/WatchEvents\"}";
  grpc::ClientContext context;
  {
    auto watch = api.events->WatchEvents(&context, v1::WatchEventsRequest());
    watch->WaitForInitialMetadata();
    EXPECT_EQ(MetricValue(Scrape(), in_flight), 1);
    context.TryCancel();
    EXPECT_EQ(watch->Finish().error_code(), StatusCode::CANCELLED);
  }
  // The server learns of it a moment after the client.
  const std::string ended =
      "vcd_rpc_duration_seconds_count{code=\"CANCELLED\",method=\"vcd.v1.EventService/WatchEvents\"}";
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  std::string text;
  do {
    text = Scrape();
  } while ((MetricValue(text, in_flight) != 0 || MetricValue(text, ended) != 1) && absl::Now() < limit);
  EXPECT_EQ(MetricValue(text, in_flight), 0);
  EXPECT_EQ(MetricValue(text, ended), 1);
}

TEST_P(MetricsTest, BadRequestsLeaveScrapesAndCallsAlone) {
  Start();
  ApiClient api(daemon_.Connect());
  HttpConnection half(daemon_.metrics_address());
  ASSERT_TRUE(half.Send("GET /metrics HTTP/1.1\r\nHost"));
  HttpConnection garbage(daemon_.metrics_address());
  ASSERT_TRUE(garbage.Send("\x01\x02\x03\n\n"));
  EXPECT_THAT(garbage.ReadToEnd(), StartsWith("HTTP/1.1 400 "));
  HttpConnection huge(daemon_.metrics_address());
  (void)huge.Send(absl::StrCat("GET /", std::string(1 << 20, 'x'), " HTTP/1.1\r\n\r\n"));
  EXPECT_THAT(huge.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(MetricValue(Scrape(), "vcd_pods{state=\"running\"}"), 0);
  EXPECT_THAT(api.RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  EXPECT_EQ(MetricValue(Scrape(), "vcd_pods{state=\"running\"}"), 1);
}

TEST_P(MetricsTest, PodCarriesTheTimelineOfItsBoot) {
  Start();
  ApiClient api(daemon_.Connect());
  ASSERT_THAT(api.RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  v1::Pod pod;
  ASSERT_THAT(api.GetPod("web", &pod), IsError(StatusCode::OK, ""));
  EXPECT_GT(pod.boot_timeline().persist_seconds(), 0);
  EXPECT_GT(pod.boot_timeline().total_seconds(), pod.boot_timeline().persist_seconds());
  EXPECT_GT(pod.boot_timeline().started_at().seconds(), 0);
  daemon_.Stop();
  ASSERT_TRUE(daemon_.Start().ok());
  v1::Pod adopted;
  ASSERT_THAT(ApiClient(daemon_.Connect()).GetPod("web", &adopted), IsError(StatusCode::OK, ""));
  EXPECT_EQ(adopted.boot_timeline().SerializeAsString(), pod.boot_timeline().SerializeAsString());
}

TEST(MetricsOffTest, NothingListensUnlessAsked) {
  TestDaemon daemon;
  ASSERT_TRUE(daemon.Start().ok());
  EXPECT_EQ(daemon.metrics_address(), "");
}

TEST(MetricsOffTest, AddressThatCannotBeServedKeepsTheDaemonFromStarting) {
  TestDaemon first;
  first.config().mutable_metrics()->set_listen("127.0.0.1:0");
  ASSERT_TRUE(first.Start().ok());
  TestDaemon second;
  second.config().mutable_metrics()->set_listen(first.metrics_address());
  const absl::Status refused = second.Start();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.message()), HasSubstr("another program has the port"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr(first.metrics_address()));
}

}  // namespace
}  // namespace vcd
