// SPDX-License-Identifier: Apache-2.0
#include "client/testing/each_pod.h"

#include "client/testing/fake_server.h"
#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {

void ExpectDoneToEachPod(const std::string& verb, const std::string& method, const std::string& missing) {
  FakeServer server;
  server.AddPod(PodOf("a", v1::POD_STATE_READY));
  server.AddPod(PodOf("b", v1::POD_STATE_READY));
  const RunResult both = RunVc(server, {verb, "a", "b"});
  EXPECT_EQ(both.exit_status, 0);
  EXPECT_EQ(both.out, "a\nb\n");
  EXPECT_EQ(both.err, "");
  EXPECT_THAT(server.calls(), testing::ElementsAre(method + " pod_id: \"a\"", method + " pod_id: \"b\""));

  FakeServer other;
  other.AddPod(PodOf("b", v1::POD_STATE_READY));
  const RunResult one = RunVc(other, {verb, "a", "b"});
  EXPECT_EQ(one.exit_status, 1);
  EXPECT_EQ(one.out, "b\n");
  EXPECT_EQ(one.err, "vc: " + verb + " a: " + missing + "\n");
}

}  // namespace vcd::client
