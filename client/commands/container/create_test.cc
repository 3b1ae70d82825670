// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ContainerCreateTest, PutsOptionsAndWordsIntoTheContainer) {
  FakeServer server;
  const RunResult result = RunVc(server, {"container", "create", "--id", "side", "--rootfs", "/tmp", "--readonly", "-e",
                                          "A=1", "-w", "/srv", "web", "--", "/bin/logger", "--follow"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "side\n");
  ASSERT_EQ(server.calls().size(), 1u);
  const std::string call = server.calls()[0];
  for (const std::string part :
       {"CreateContainer pod_id: \"web\"", "id: \"side\"", "path: \"/tmp\"", "readonly: true",
        "args: \"/bin/logger\" args: \"--follow\"", "name: \"A\" value: \"1\"", "work_dir: \"/srv\""}) {
    EXPECT_THAT(call, HasSubstr(part));
  }
}

TEST(ContainerCreateTest, AnIdIsMadeUp) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"container", "create", "--rootfs", "/tmp", "web", "--", "ls"}).out, "generated\n");
}

TEST(ContainerCreateTest, ACommandIsNeeded) {
  FakeServer server;
  const RunResult result = RunVc(server, {"container", "create", "--rootfs", "/tmp", "web"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, HasSubstr("vc: container create: a command is needed"));
}

TEST(ContainerCreateTest, RefusalNamesPodAndContainer) {
  FakeServer server;
  server.Fail("CreateContainer", DaemonError(grpc::StatusCode::ALREADY_EXISTS, "CONTAINER_EXISTS", "taken"));
  const RunResult result = RunVc(server, {"container", "create", "--id", "side", "web", "--", "ls"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: container create web side: taken\n");
  EXPECT_THAT(server.calls(), ElementsAre(HasSubstr("CreateContainer")));
}

}  // namespace
}  // namespace vcd::client
