// SPDX-License-Identifier: Apache-2.0
#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(NetworkDetachTest, TakesAnInterfaceAway) {
  FakeServer server;
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING);
  pod.mutable_network()->add_interfaces()->set_name("eth1");
  server.AddPod(pod);
  const RunResult result = RunVc(server, {"network", "detach", "web", "eth1"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "eth1\n");
  EXPECT_THAT(server.calls(), ElementsAre("DetachInterface pod_id: \"web\" interface_name: \"eth1\""));
}

TEST(NetworkDetachTest, OneThatIsNotThereIsAnError) {
  FakeServer server;
  server.AddPod(PodOf("web", v1::POD_STATE_RUNNING));
  const RunResult result = RunVc(server, {"network", "detach", "web", "eth7"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.err, HasSubstr("has no network interface eth7"));
}

}  // namespace
}  // namespace vcd::client
