// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/agent_messages.h"

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(AgentMessagesTest, SaysAllOfACommand) {
  v1::Cmd cmd;
  cmd.add_args("sh");
  cmd.add_args("-c");
  v1::EnvVar& env = *cmd.add_envs();
  env.set_name("A");
  env.set_value("b=c");
  cmd.set_user("u");
  cmd.set_primary_group("g");
  cmd.add_supplementary_groups("s");
  cmd.set_work_dir("/w");
  cmd.set_terminal(true);
  cmd.set_interactive(true);
  cmd.set_detach(true);
  cmd.set_no_new_privileges(true);
  cmd.mutable_capabilities()->add_bounding("CAP_CHOWN");
  cmd.mutable_capabilities()->add_ambient("CAP_KILL");
  const agent::v1::Command command = ToAgentCommand(cmd);
  EXPECT_THAT(command.args(), ElementsAre("sh", "-c"));
  ASSERT_EQ(command.envs_size(), 1);
  EXPECT_EQ(command.envs(0).name(), "A");
  EXPECT_EQ(command.envs(0).value(), "b=c");
  EXPECT_EQ(command.user(), "u");
  EXPECT_EQ(command.primary_group(), "g");
  EXPECT_THAT(command.supplementary_groups(), ElementsAre("s"));
  EXPECT_EQ(command.work_dir(), "/w");
  EXPECT_TRUE(command.terminal());
  EXPECT_TRUE(command.interactive());
  EXPECT_TRUE(command.discard_output());
  EXPECT_TRUE(command.no_new_privileges());
  EXPECT_THAT(command.capabilities().bounding(), ElementsAre("CAP_CHOWN"));
  EXPECT_THAT(command.capabilities().ambient(), ElementsAre("CAP_KILL"));
  EXPECT_FALSE(ToAgentCommand(v1::Cmd()).has_capabilities()) << "absent keeps the default sets";
}

TEST(AgentMessagesTest, SaysWhereTheRootFileSystemIs) {
  GuestContainerSpec spec;
  spec.config.set_id("c1");
  spec.config.mutable_rootfs()->set_readonly(true);
  spec.rootfs = DiskRootfs{{3, 5}, "erofs"};
  absl::StatusOr<agent::v1::CreateContainer> container = ToAgentContainer(spec);
  ASSERT_TRUE(container.ok());
  EXPECT_EQ(container->rootfs().scsi_lun().target(), 3u);
  EXPECT_EQ(container->rootfs().scsi_lun().lun(), 5u);
  EXPECT_EQ(container->rootfs().scsi_lun().fs_type(), "erofs");
  EXPECT_TRUE(container->rootfs().readonly());
  spec.rootfs = SharedRootfs{"tag"};
  EXPECT_EQ(ToAgentContainer(spec)->rootfs().virtiofs().tag(), "tag");
  spec.rootfs = std::monostate();
  spec.config.mutable_rootfs()->mutable_directory()->set_path("/srv/root");
  EXPECT_EQ(ToAgentContainer(spec)->rootfs().directory(), "/srv/root");
}

TEST(AgentMessagesTest, RefusesWhatTheProtocolCannotSay) {
  GuestContainerSpec spec;
  spec.config.set_id("c1");
  spec.config.add_mounts();
  EXPECT_EQ(ToAgentContainer(spec).status().code(), absl::StatusCode::kUnimplemented);
  spec.config.clear_mounts();
  spec.config.mutable_resources()->set_pids_limit(0);
  EXPECT_TRUE(ToAgentContainer(spec).ok()) << "no limit asks for nothing";
  spec.config.mutable_resources()->set_memory_limit_bytes(1 << 20);
  EXPECT_THAT(std::string(ToAgentContainer(spec).status().message()), HasSubstr("`resources`"));
}

TEST(AgentMessagesTest, RepliesBecomeStatusesWithReasons) {
  agent::v1::Reply reply;
  EXPECT_TRUE(ReplyStatus(reply, {"c1", ""}, "create").ok());
  reply.set_code(agent::v1::ERROR_CODE_COMMAND_NOT_EXECUTABLE);
  reply.set_message("/bin/x: Permission denied");
  const absl::Status status = ReplyStatus(reply, {"c1", ""}, "create");
  EXPECT_EQ(status.message(), "container c1: create: /bin/x: Permission denied");
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_COMMAND_NOT_EXECUTABLE);
  reply.set_code(static_cast<agent::v1::ErrorCode>(4711));
  EXPECT_EQ(ReplyStatus(reply, {"c1", ""}, "create").code(), absl::StatusCode::kInternal);
}

TEST(AgentMessagesTest, RefusesProcessesThatCannotBe) {
  agent::v1::Process process;
  EXPECT_FALSE(FromAgentProcess(process).ok()) << "no container";
  process.set_container_id("c1");
  EXPECT_TRUE(FromAgentProcess(process).ok());
  process.set_stdout_acked(~uint64_t{0});
  EXPECT_FALSE(FromAgentProcess(process).ok());
  process.set_stdout_acked(0);
  process.mutable_exit()->set_code(256);
  EXPECT_FALSE(FromAgentProcess(process).ok());
  process.mutable_exit()->set_code(0);
  process.mutable_exit()->set_signal(-1);
  EXPECT_FALSE(FromAgentProcess(process).ok());
  process.mutable_exit()->set_signal(9);
  process.set_process_id(std::string(1000, 'x'));
  EXPECT_FALSE(FromAgentProcess(process).ok());
}

}  // namespace
}  // namespace vcd
