// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ContainerKillTest, SendsTheSignalToEach) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"container", "kill", "web", "a", "b"}).out, "a\nb\n");
  EXPECT_EQ(RunVc(server, {"container", "kill", "-s", "HUP", "-a", "web", "a"}).out, "a\n");
  EXPECT_THAT(server.calls(), ElementsAre("KillContainer pod_id: \"web\" container_id: \"a\" signal: 9",
                                          "KillContainer pod_id: \"web\" container_id: \"b\" signal: 9",
                                          "KillContainer pod_id: \"web\" container_id: \"a\" signal: 1 all: true"));
  const RunResult wrong = RunVc(server, {"container", "kill", "-s", "NOPE", "web", "a"});
  EXPECT_EQ(wrong.exit_status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("\"NOPE\" is no signal"));
}

}  // namespace
}  // namespace vcd::client
