// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Pod PodOfModel(const std::string& id, const std::string& model) {
  v1::Pod pod = PodOf(id, v1::POD_STATE_RUNNING);
  pod.mutable_config()->set_network(model);
  return pod;
}

TEST(NetworkAttachTest, AsksForANetworkAndTellsTheInterface) {
  FakeServer server;
  server.AddPod(PodOfModel("web", "cni"));
  const RunResult result = RunVc(server, {"network", "attach", "web", "storage"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "eth1\n");
  EXPECT_THAT(server.calls(), Contains("AttachInterface pod_id: \"web\" network { name: \"storage\" }"));
  const RunResult named = RunVc(server, {"network", "attach", "web", "storage", "--name", "data0", "--ip",
                                         "10.9.0.7/24", "--mac", "02:00:5e:00:53:07", "-p", "8080:80"});
  EXPECT_EQ(named.out, "data0\n");
  EXPECT_THAT(server.calls(),
              Contains("AttachInterface pod_id: \"web\" network { name: \"storage\" interface_name: \"data0\" ips: "
                       "\"10.9.0.7/24\" mac: \"02:00:5e:00:53:07\" port_mappings { host_port: 8080 container_port: 80 "
                       "} }"));
}

TEST(NetworkAttachTest, InANamespaceOfOthersItNamesTheInterface) {
  FakeServer server;
  server.AddPod(PodOfModel("web", "cnm"));
  EXPECT_EQ(RunVc(server, {"network", "attach", "web", "veth7"}).out, "veth7\n");
  EXPECT_THAT(server.calls(), Contains("AttachInterface pod_id: \"web\" network { interface_name: \"veth7\" }"));
  EXPECT_EQ(RunVc(server, {"network", "attach", "web", "veth7", "--ip", "10.9.0.7/24"}).exit_status, 2);
}

TEST(NetworkAttachTest, TellsWhatIsWrong) {
  FakeServer server;
  EXPECT_THAT(RunVc(server, {"network", "attach", "none", "lan"}).err, HasSubstr("vc: network attach none: "));
  server.AddPod(PodOfModel("web", "cni"));
  EXPECT_EQ(RunVc(server, {"network", "attach", "web", "lan", "-p", "x"}).exit_status, 2);
  EXPECT_EQ(RunVc(server, {"network", "attach", "web"}).exit_status, 2);
  EXPECT_THAT(server.calls(), Not(Contains(HasSubstr("AttachInterface"))));
}

}  // namespace
}  // namespace vcd::client
