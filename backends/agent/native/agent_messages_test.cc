// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/agent_messages.h"

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  v1::Rlimit& limit = *cmd.add_rlimits();
  limit.set_type("RLIMIT_NOFILE");
  limit.set_soft(10);
  limit.set_hard(20);
  cmd.set_oom_score_adj(0);
  cmd.set_umask(0);
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
  ASSERT_EQ(command.rlimits_size(), 1);
  EXPECT_EQ(command.rlimits(0).type(), "RLIMIT_NOFILE");
  EXPECT_EQ(command.rlimits(0).soft(), 10u);
  EXPECT_EQ(command.rlimits(0).hard(), 20u);
  EXPECT_TRUE(command.has_oom_score_adj());
  EXPECT_TRUE(command.has_umask());
  EXPECT_FALSE(ToAgentCommand(v1::Cmd()).has_umask());
  EXPECT_FALSE(ToAgentCommand(v1::Cmd()).has_oom_score_adj());
  EXPECT_FALSE(ToAgentCommand(v1::Cmd()).has_capabilities()) << "absent keeps the default sets";
}

TEST(AgentMessagesTest, SaysWhereADiskOfTheContainersOwnIs) {
  GuestContainerSpec spec;
  spec.config.set_id("c1");
  spec.rootfs = DiskRootfs{{{0, 5}, ""}, "ext4", /*overlay=*/false, {"noatime"}};
  agent::v1::RootfsSource source = ToAgentContainer(spec)->rootfs();
  ASSERT_TRUE(source.has_block());
  EXPECT_TRUE(source.block().disk().has_scsi_lun());
  EXPECT_EQ(source.block().disk().scsi_lun().lun(), 5u);
  EXPECT_EQ(source.block().fs_type(), "ext4");
  EXPECT_THAT(source.block().options(), ElementsAre("noatime"));
  EXPECT_FALSE(source.block().overlay());
  // What earlier agents cannot find by its LUN, or do not know.
  spec.rootfs = DiskRootfs{{{}, "rootfs-0"}, "erofs"};
  source = ToAgentContainer(spec)->rootfs();
  EXPECT_FALSE(source.block().disk().has_scsi_lun());
  EXPECT_EQ(source.block().disk().serial(), "rootfs-0");
  EXPECT_EQ(source.block().fs_type(), "erofs");
  EXPECT_TRUE(source.block().overlay());
  spec.rootfs = DiskRootfs{{{0, 5}, ""}, "xfs"};
  EXPECT_TRUE(ToAgentContainer(spec)->rootfs().block().overlay());
}

TEST(AgentMessagesTest, SaysWhatIsMountedAndWhatIsADevice) {
  GuestContainerSpec spec;
  spec.config.set_id("c1");
  const auto add = [&](const std::string& type, const std::string& source, const std::string& destination,
                       GuestPlace place) {
    v1::Mount& mount = *spec.config.add_mounts();
    mount.set_type(type);
    mount.set_source(source);
    mount.set_destination(destination);
    spec.mounts.push_back(std::move(place));
  };
  add("tmpfs", "tmpfs", "/tmp", {});
  add("bind", "/sys", "/sys", {});
  add("volume", "data", "/data", SharedPath{"vcd", "volume-0"});
  add("ext4", "/srv/disk", "/disk", DiskAddress{{0, 2}, ""});
  v1::Device& disk = *spec.config.add_devices();
  disk.set_container_path("/dev/disk");
  disk.set_host_path("/srv/raw");
  spec.devices.push_back(DiskAddress{{0, 3}, ""});
  v1::Device& group = *spec.config.add_devices();
  group.set_container_path("/dev/vfio/7");
  group.set_host_path("/dev/vfio/7");
  spec.devices.push_back({});
  v1::Device& fuse = *spec.config.add_devices();
  fuse.set_container_path("/dev/fuse");
  fuse.set_host_path("/dev/fuse");
  fuse.set_type("c");
  fuse.set_major(10);
  fuse.set_minor(229);
  const agent::v1::LinuxSettings settings = ToAgentContainer(spec)->linux();
  ASSERT_EQ(settings.mounts_size(), 3) << "the guest has its own /sys";
  EXPECT_EQ(settings.mounts(0).type(), "tmpfs");
  EXPECT_EQ(settings.mounts(0).destination(), "/tmp");
  EXPECT_FALSE(settings.mounts(0).has_share() || settings.mounts(0).has_disk());
  EXPECT_EQ(settings.mounts(1).type(), "bind");
  EXPECT_EQ(settings.mounts(1).share().tag(), "vcd");
  EXPECT_EQ(settings.mounts(1).share().name(), "volume-0");
  EXPECT_EQ(settings.mounts(2).type(), "ext4");
  EXPECT_EQ(settings.mounts(2).disk().scsi_lun().lun(), 2u);
  ASSERT_EQ(settings.devices_size(), 2) << "the guest's driver makes the nodes of the group";
  EXPECT_EQ(settings.devices(0).disk().scsi_lun().lun(), 3u);
  EXPECT_EQ(settings.devices(0).path(), "/dev/disk");
  EXPECT_FALSE(settings.devices(0).needs_driver());
  EXPECT_EQ(settings.devices(1).path(), "/dev/fuse");
  EXPECT_EQ(settings.devices(1).minor(), 229);
  EXPECT_TRUE(settings.devices(1).needs_driver());
}

TEST(AgentMessagesTest, SaysWhereTheRootFileSystemIs) {
  GuestContainerSpec spec;
  spec.config.set_id("c1");
  spec.config.mutable_rootfs()->set_readonly(true);
  spec.rootfs = DiskRootfs{{{3, 5}, ""}, "erofs"};
  absl::StatusOr<agent::v1::CreateContainer> container = ToAgentContainer(spec);
  ASSERT_TRUE(container.ok());
  EXPECT_EQ(container->rootfs().scsi_lun().target(), 3u);
  EXPECT_EQ(container->rootfs().scsi_lun().lun(), 5u);
  EXPECT_EQ(container->rootfs().scsi_lun().fs_type(), "erofs");
  EXPECT_TRUE(container->rootfs().readonly());
  spec.rootfs = SharedRootfs{{"tag", ""}};
  EXPECT_EQ(ToAgentContainer(spec)->rootfs().virtiofs().tag(), "tag");
  spec.rootfs = std::monostate();
  spec.config.mutable_rootfs()->mutable_directory()->set_path("/srv/root");
  EXPECT_EQ(ToAgentContainer(spec)->rootfs().directory(), "/srv/root");
}

TEST(AgentMessagesTest, FillsInTheDefaultsOfAContainer) {
  GuestContainerSpec spec;
  const absl::StatusOr<agent::v1::CreateContainer> container = ToAgentContainer(spec);
  ASSERT_TRUE(container.ok()) << container.status();
  EXPECT_THAT(container->linux().masked_paths(), Contains("/proc/kcore"));
  EXPECT_THAT(container->linux().readonly_paths(), Contains("/proc/sys"));
  EXPECT_EQ(container->linux().shm_size_bytes(), 64u << 20);
  EXPECT_EQ(container->linux().seccomp_filter(), "");
  EXPECT_FALSE(container->linux().share_process_namespace());
  spec.config.mutable_linux()->mutable_masked_paths();
  spec.config.mutable_linux()->mutable_readonly_paths()->add_paths("/etc");
  EXPECT_THAT(ToAgentContainer(spec)->linux().masked_paths(), IsEmpty()) << "an empty list replaces the usual one";
  EXPECT_THAT(ToAgentContainer(spec)->linux().readonly_paths(), ElementsAre("/etc"));
}

TEST(AgentMessagesTest, SaysAllOfWhatAContainerSees) {
  GuestContainerSpec spec;
  spec.hosts = "127.0.0.1 localhost\n";
  spec.resolv_conf = "nameserver 10.0.0.1\n";
  spec.share_process_namespace = true;
  v1::LinuxSettings& linux = *spec.config.mutable_linux();
  (*linux.mutable_sysctls())["net.b"] = "2";
  (*linux.mutable_sysctls())["net.a"] = "1";
  linux.set_shm_size_bytes(4096);
  linux.mutable_seccomp()->set_default_action("SCMP_ACT_ALLOW");
  v1::Mount& mount = *spec.config.add_mounts();
  mount.set_destination("/cache");
  mount.set_type("tmpfs");
  mount.add_options("size=1m");
  v1::Device& device = *spec.config.add_devices();
  device.set_container_path("/dev/fuse");
  device.set_type("c");
  device.set_major(10);
  device.set_minor(229);
  const absl::StatusOr<agent::v1::CreateContainer> container = ToAgentContainer(spec);
  ASSERT_TRUE(container.ok()) << container.status();
  const agent::v1::LinuxSettings& said = container->linux();
  EXPECT_EQ(said.hosts(), spec.hosts);
  EXPECT_EQ(said.resolv_conf(), spec.resolv_conf);
  EXPECT_TRUE(said.share_process_namespace());
  ASSERT_EQ(said.sysctls_size(), 2);
  EXPECT_EQ(said.sysctls(0).name(), "net.a");
  EXPECT_EQ(said.sysctls(1).value(), "2");
  EXPECT_EQ(said.shm_size_bytes(), 4096u);
  EXPECT_NE(said.seccomp_filter(), "");
  ASSERT_EQ(said.mounts_size(), 1);
  EXPECT_EQ(said.mounts(0).destination(), "/cache");
  EXPECT_EQ(said.mounts(0).type(), "tmpfs");
  EXPECT_THAT(said.mounts(0).options(), ElementsAre("size=1m"));
  ASSERT_EQ(said.devices_size(), 1);
  EXPECT_EQ(said.devices(0).path(), "/dev/fuse");
  EXPECT_EQ(said.devices(0).major(), 10);
  EXPECT_EQ(said.devices(0).minor(), 229);
  EXPECT_EQ(said.devices(0).file_mode(), 0666u) << "the default";
}

TEST(AgentMessagesTest, HooksOfTheGuestGoWithTheirState) {
  GuestContainerSpec spec;
  spec.hook_state = "{\"pid\":{pid}}";
  EXPECT_EQ(ToAgentContainer(spec)->linux().hook_state(), "") << "nobody would read it";
  v1::Hook& hook = spec.start_hooks.emplace_back();
  hook.set_path("/bin/license");
  hook.add_args("license");
  hook.add_env("A=1");
  hook.set_timeout_seconds(7);
  const absl::StatusOr<agent::v1::CreateContainer> container = ToAgentContainer(spec);
  ASSERT_TRUE(container.ok()) << container.status();
  ASSERT_EQ(container->linux().start_hooks_size(), 1);
  const agent::v1::Hook& said = container->linux().start_hooks(0);
  EXPECT_EQ(said.path(), "/bin/license");
  EXPECT_THAT(said.args(), ElementsAre("license"));
  EXPECT_THAT(said.envs(), ElementsAre("A=1"));
  EXPECT_EQ(said.timeout_seconds(), 7u);
  EXPECT_EQ(container->linux().hook_state(), spec.hook_state);
}

TEST(AgentMessagesTest, LimitsBecomeFilesOfTheControlGroup) {
  GuestContainerSpec spec;
  spec.config.set_id("c1");
  EXPECT_EQ(ToAgentContainer(spec)->resources().files_size(), 0) << "no limit asks for nothing";
  spec.config.mutable_resources()->set_memory_limit_bytes(1 << 20);
  const absl::StatusOr<agent::v1::CreateContainer> container = ToAgentContainer(spec);
  ASSERT_TRUE(container.ok()) << container.status();
  ASSERT_EQ(container->resources().files_size(), 1);
  EXPECT_EQ(container->resources().files(0).name(), "memory.max");
  EXPECT_EQ(container->resources().files(0).value(), "1048576");
}

TEST(AgentMessagesTest, RepliesBecomeStatusesWithReasons) {
  agent::v1::Reply reply;
  EXPECT_TRUE(ReplyStatus(reply, {"c1", ""}, "create").ok());
  reply.set_code(agent::v1::ERROR_CODE_COMMAND_NOT_EXECUTABLE);
  reply.set_message("/bin/x: Permission denied");
  const absl::Status status = ReplyStatus(reply, {"c1", ""}, "create");
  EXPECT_EQ(status.message(), "container c1: create: /bin/x: Permission denied");
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_COMMAND_NOT_EXECUTABLE);
  reply.set_code(agent::v1::ERROR_CODE_HOOK_FAILED);
  EXPECT_EQ(DetailOf(ReplyStatus(reply, {"c1", ""}, "start"))->reason, v1::ERROR_REASON_HOOK_FAILED);
  reply.set_code(agent::v1::ERROR_CODE_EXHAUSTED);
  reply.set_message("the pod has 96 forwarded connections");
  const absl::Status full = ReplyStatus(reply, {"", "dial-1"}, "port 80");
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(full.message(), "connection dial-1: port 80: the pod has 96 forwarded connections");
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
