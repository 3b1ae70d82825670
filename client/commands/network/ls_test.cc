// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

TEST(NetworkLsTest, ShowsWhatAnInterfaceIs) {
  FakeServer server;
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING);
  v1::PodInterface& eth0 = *pod.mutable_network()->add_interfaces();
  eth0.set_name("eth0");
  eth0.set_network("default");
  eth0.set_mac("02:00:5e:00:53:01");
  eth0.set_mtu(1400);
  eth0.add_addresses("10.88.0.7/16");
  eth0.add_addresses("fd00::7/64");
  eth0.set_kind(v1::INTERFACE_KIND_VIRTUAL);
  eth0.set_join(v1::INTERFACE_JOIN_TC_REDIRECT);
  v1::PodInterface& card = *pod.mutable_network()->add_interfaces();
  card.set_name("card0");
  card.set_kind(v1::INTERFACE_KIND_PHYSICAL);
  server.AddPod(pod);
  const RunResult result = RunVc(server, {"network", "ls", "web"});
  EXPECT_EQ(result.exit_status, 0);
  for (const std::string part : {"INTERFACE", "default", "10.88.0.7/16,fd00::7/64", "1400", "tc", "physical"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
  EXPECT_EQ(RunVc(server, {"network", "ls", "-q", "web"}).out, "eth0\ncard0\n");
  EXPECT_THAT(RunVc(server, {"network", "ls", "-o", "json", "web"}).out, HasSubstr("\"interfaces\": ["));
}

TEST(NetworkLsTest, APodWithoutInterfacesIsAnEmptyListAndNoPodAnError) {
  FakeServer server;
  server.AddPod(PodOf("lone", v1::POD_STATE_RUNNING));
  EXPECT_EQ(RunVc(server, {"network", "ls", "-o", "json", "lone"}).out, "{\n \"interfaces\": []\n}\n");
  EXPECT_THAT(RunVc(server, {"network", "ls", "nope"}).err, HasSubstr("vc: network ls nope: "));
}

}  // namespace
}  // namespace vcd::client
