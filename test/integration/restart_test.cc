// SPDX-License-Identifier: Apache-2.0
// Pods outlive the daemon, and two daemons never share them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

TEST(RestartTest, NextDaemonAdoptsWhatRuns) {
  TestDaemon daemon;
  ASSERT_TRUE(daemon.Start().ok());
  v1::Pod before;
  {
    ApiClient api(daemon.Connect());
    ASSERT_THAT(api.RunPod(PodNamed("runs"), &before), IsError(StatusCode::OK, ""));
    ASSERT_THAT(api.CreatePod(PodNamed("held")), IsError(StatusCode::OK, ""));
    ASSERT_THAT(api.RunPod(PodNamed("paused")), IsError(StatusCode::OK, ""));
    ASSERT_THAT(api.PausePod("paused"), IsError(StatusCode::OK, ""));
    ASSERT_THAT(api.RunPod(PodNamed("stopped")), IsError(StatusCode::OK, ""));
    ASSERT_THAT(api.StopPod("stopped"), IsError(StatusCode::OK, ""));
  }
  for (int round = 0; round < 2; ++round) {
    daemon.Stop();
    const absl::Status started = daemon.Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  ApiClient api(daemon.Connect());
  for (const auto& [id, state] : std::map<std::string, v1::PodState>{{"runs", v1::POD_STATE_RUNNING},
                                                                     {"held", v1::POD_STATE_READY},
                                                                     {"paused", v1::POD_STATE_PAUSED},
                                                                     {"stopped", v1::POD_STATE_STOPPED}}) {
    v1::Pod pod;
    ASSERT_THAT(api.GetPod(id, &pod), IsError(StatusCode::OK, "")) << id;
    EXPECT_EQ(pod.state(), state) << id << ": " << pod.reason();
  }
  v1::Pod after;
  ASSERT_THAT(api.GetPod("runs", &after), IsError(StatusCode::OK, ""));
  EXPECT_EQ(after.vm().pid(), before.vm().pid());
  EXPECT_EQ(after.created_at().seconds(), before.created_at().seconds());
  // They can be used.
  EXPECT_THAT(api.ResumePod("paused"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api.StartPod("held"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api.StartPod("stopped"), IsError(StatusCode::OK, ""));
  for (const char* id : {"runs", "held", "paused", "stopped"}) {
    EXPECT_THAT(api.DeletePod(id, /*force=*/true), IsError(StatusCode::OK, "")) << id;
  }
}

TEST(RestartTest, SecondDaemonOnTheSameStateIsRefused) {
  TestDaemon first;
  ASSERT_TRUE(first.Start().ok());
  TestDaemon second;
  second.config().set_state_dir(first.config().state_dir());
  absl::Status refused = second.Start();
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.message()), HasSubstr(first.config().state_dir()));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("another vcd"));

  TestDaemon third;
  third.config().set_run_dir(first.config().run_dir());
  refused = third.Start();
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.message()), HasSubstr(first.config().run_dir()));

  TestDaemon fourth;
  fourth.config().set_listen(first.config().listen());
  refused = fourth.Start();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("another daemon listens"));

  // The first is none the worse.
  ApiClient api(first.Connect());
  EXPECT_THAT(api.RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
}

TEST(RestartTest, UnknownDefaultsAreRefused) {
  TestDaemon daemon;
  daemon.config().set_agent("kata");
  const absl::Status refused = daemon.Start();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("known are: mock, native, noop"));
}

}  // namespace
}  // namespace vcd
