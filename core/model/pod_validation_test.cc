// SPDX-License-Identifier: Apache-2.0
#include "core/model/pod_validation.h"

#include <algorithm>
#include <functional>
#include <string>

#include "core/model/process_validation.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

v1::ContainerConfig GoodContainer(const std::string& id) {
  v1::ContainerConfig config;
  config.set_id(id);
  config.mutable_rootfs()->mutable_image()->set_path("/images/a.erofs");
  config.mutable_cmd()->add_args("sh");
  return config;
}

v1::PodConfig GoodPod() {
  v1::PodConfig config;
  config.set_id("web");
  *config.add_containers() = GoodContainer("a");
  *config.add_containers() = GoodContainer("b");
  return config;
}

// A change that spoils a good configuration, and what is said of it.
struct Case {
  std::string name;
  std::function<void(v1::PodConfig&)> spoil;
  std::string field;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

class PodValidationTest : public testing::TestWithParam<Case> {};

TEST_P(PodValidationTest, NamesTheField) {
  v1::PodConfig config = GoodPod();
  GetParam().spoil(config);
  const absl::Status status = ValidatePodConfig(config, /*runs_processes=*/true);
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("`" + GetParam().field + "`"));
  ASSERT_TRUE(DetailOf(status).has_value());
  EXPECT_EQ(DetailOf(status)->metadata.at("field"), GetParam().field);
  EXPECT_EQ(DetailOf(status)->reason, GetParam().code == absl::StatusCode::kUnimplemented
                                          ? v1::ERROR_REASON_NOT_IMPLEMENTED
                                          : v1::ERROR_REASON_INVALID_FIELD);
}

v1::ContainerConfig& Second(v1::PodConfig& c) { return *c.mutable_containers(1); }
v1::Cmd& SecondCmd(v1::PodConfig& c) { return *Second(c).mutable_cmd(); }

INSTANTIATE_TEST_SUITE_P(
    Wrong, PodValidationTest,
    testing::Values(
        Case{"PodId", [](v1::PodConfig& c) { c.set_id("../x"); }, "config.id"},
        Case{"Hostname", [](v1::PodConfig& c) { c.set_hostname("a b"); }, "config.hostname"},
        Case{"KernelPath", [](v1::PodConfig& c) { c.mutable_hypervisor_config()->set_kernel_path("vmlinux"); },
             "config.hypervisor_config.kernel_path"},
        Case{"KernelParamBlank",
             [](v1::PodConfig& c) { c.mutable_hypervisor_config()->add_kernel_params()->set_value("a b"); },
             "config.hypervisor_config.kernel_params[0].value"},
        Case{"KernelParamEmpty", [](v1::PodConfig& c) { c.mutable_hypervisor_config()->add_kernel_params(); },
             "config.hypervisor_config.kernel_params[0]"},
        Case{"Accelerator", [](v1::PodConfig& c) { c.mutable_hypervisor_config()->set_accelerator("hvf"); },
             "config.hypervisor_config.accelerator"},
        Case{"Memory", [](v1::PodConfig& c) { c.mutable_resources()->set_memory_mib(0xffffffff); },
             "config.resources.memory_mib"},
        Case{"Vcpus", [](v1::PodConfig& c) { c.mutable_resources()->set_vcpus(100000); }, "config.resources.vcpus"},
        Case{"Netns", [](v1::PodConfig& c) { c.mutable_network_config()->set_netns_path("netns"); },
             "config.network_config.netns_path"},
        Case{"AnnotationKey", [](v1::PodConfig& c) { (*c.mutable_annotations())[""] = "x"; }, "config.annotations key"},
        Case{"Size", [](v1::PodConfig& c) { (*c.mutable_annotations())["k"] = std::string(2 << 20, 'x'); }, "config"},
        Case{"VolumeTagTwice",
             [](v1::PodConfig& c) {
               for (int i = 0; i < 2; ++i) {
                 c.add_volumes()->set_mount_tag("t");
                 c.mutable_volumes(i)->set_host_path("/x");
               }
             },
             "config.volumes[1].mount_tag"},
        Case{"VolumeTagLong", [](v1::PodConfig& c) { c.add_volumes()->set_mount_tag(std::string(37, 't')); },
             "config.volumes[0].mount_tag"},
        Case{"VolumePath", [](v1::PodConfig& c) { c.add_volumes()->set_mount_tag("t"); },
             "config.volumes[0].host_path"},
        Case{"SocketPart", [](v1::PodConfig& c) { c.add_sockets()->set_device_id("d"); }, "config.sockets[0].id"},
        Case{"HookPath", [](v1::PodConfig& c) { c.mutable_hooks()->add_poststop()->set_path("x"); },
             "config.hooks.poststop[0].path"}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    WrongContainer, PodValidationTest,
    testing::Values(
        Case{"Id", [](v1::PodConfig& c) { Second(c).set_id("a/b"); }, "config.containers[1].id"},
        Case{"IdTwice", [](v1::PodConfig& c) { Second(c).set_id("a"); }, "config.containers[1].id"},
        Case{"NoRootfs", [](v1::PodConfig& c) { Second(c).clear_rootfs(); }, "config.containers[1].rootfs"},
        Case{"ImagePath", [](v1::PodConfig& c) { Second(c).mutable_rootfs()->mutable_image()->set_path("a.erofs"); },
             "config.containers[1].rootfs.image.path"},
        Case{"FsType", [](v1::PodConfig& c) { Second(c).mutable_rootfs()->mutable_image()->set_fs_type("ntfs"); },
             "config.containers[1].rootfs.image.fs_type"},
        Case{"HookPath", [](v1::PodConfig& c) { Second(c).mutable_hooks()->add_prestart()->set_path("x"); },
             "config.containers[1].hooks.prestart[0].path"},
        Case{"Directory", [](v1::PodConfig& c) { Second(c).mutable_rootfs()->mutable_directory(); },
             "config.containers[1].rootfs.directory.path"},
        Case{"NoArgs", [](v1::PodConfig& c) { SecondCmd(c).clear_args(); }, "config.containers[1].cmd.args"},
        Case{"EmptyProgram", [](v1::PodConfig& c) { SecondCmd(c).set_args(0, ""); },
             "config.containers[1].cmd.args[0]"},
        Case{"NulInArgs", [](v1::PodConfig& c) { SecondCmd(c).add_args(std::string("a\0b", 3)); },
             "config.containers[1].cmd.args[1]"},
        Case{"LongArg", [](v1::PodConfig& c) { SecondCmd(c).add_args(std::string(131072, 'x')); },
             "config.containers[1].cmd.args[1]"},
        Case{"EnvName", [](v1::PodConfig& c) { SecondCmd(c).add_envs()->set_value("x"); },
             "config.containers[1].cmd.envs[0].name"},
        Case{"EnvEquals", [](v1::PodConfig& c) { SecondCmd(c).add_envs()->set_name("a=b"); },
             "config.containers[1].cmd.envs[0].name"},
        Case{"WorkDir", [](v1::PodConfig& c) { SecondCmd(c).set_work_dir("tmp"); },
             "config.containers[1].cmd.work_dir"},
        Case{"User", [](v1::PodConfig& c) { SecondCmd(c).set_user("a\nb"); }, "config.containers[1].cmd.user"},
        Case{"Group", [](v1::PodConfig& c) { SecondCmd(c).add_supplementary_groups(""); },
             "config.containers[1].cmd.supplementary_groups[0]"},
        Case{"Capability", [](v1::PodConfig& c) { SecondCmd(c).mutable_capabilities()->add_ambient("NET_ADMIN"); },
             "config.containers[1].cmd.capabilities.ambient[0]"},
        Case{"MountDestination", [](v1::PodConfig& c) { Second(c).add_mounts()->set_destination("x"); },
             "config.containers[1].mounts[0].destination"},
        Case{"MountType",
             [](v1::PodConfig& c) {
               Second(c).add_mounts()->set_destination("/x");
               Second(c).mutable_mounts(0)->set_type("nfs");
             },
             "config.containers[1].mounts[0].type"},
        Case{"MountOfNoVolume",
             [](v1::PodConfig& c) {
               Second(c).add_mounts()->set_destination("/x");
               Second(c).mutable_mounts(0)->set_type("volume");
               Second(c).mutable_mounts(0)->set_source("data");
             },
             "config.containers[1].mounts[0].source"},
        Case{"BlockPath", [](v1::PodConfig& c) { Second(c).mutable_rootfs()->mutable_block()->set_path("x"); },
             "config.containers[1].rootfs.block.path"},
        Case{"BlockFsType",
             [](v1::PodConfig& c) {
               Second(c).mutable_rootfs()->mutable_block()->set_path("/x");
               Second(c).mutable_rootfs()->mutable_block()->set_fs_type("tmpfs");
             },
             "config.containers[1].rootfs.block.fs_type"},
        Case{"HostDevicePath",
             [](v1::PodConfig& c) {
               Second(c).add_devices()->set_container_path("/dev/x");
               Second(c).mutable_devices(0)->set_host_path("x");
             },
             "config.containers[1].devices[0].host_path"},
        Case{"HostDeviceNumber",
             [](v1::PodConfig& c) {
               Second(c).add_devices()->set_container_path("/dev/x");
               Second(c).mutable_devices(0)->set_host_path("/x");
               Second(c).mutable_devices(0)->set_major(8);
             },
             "config.containers[1].devices[0].major"},
        Case{"GuestDeviceReadonly",
             [](v1::PodConfig& c) {
               Second(c).add_devices()->set_container_path("/dev/x");
               Second(c).mutable_devices(0)->set_readonly(true);
             },
             "config.containers[1].devices[0].readonly"},
        Case{"MountOnRoot", [](v1::PodConfig& c) { Second(c).add_mounts()->set_destination("/./"); },
             "config.containers[1].mounts[0].destination"},
        Case{"Limits", [](v1::PodConfig& c) { Second(c).mutable_resources()->set_pids_limit(-5); },
             "config.containers[1].resources.pids_limit"},
        Case{"DeviceType", [](v1::PodConfig& c) { Second(c).add_devices()->set_container_path("/dev/x"); },
             "config.containers[1].devices[0].type"},
        Case{"DevicePath", [](v1::PodConfig& c) { Second(c).add_devices()->set_container_path("/dev/../etc/x"); },
             "config.containers[1].devices[0].container_path"},
        Case{"DeviceMajor",
             [](v1::PodConfig& c) {
               Second(c).add_devices()->set_container_path("/dev/x");
               Second(c).mutable_devices(0)->set_type("c");
               Second(c).mutable_devices(0)->set_major(-1);
             },
             "config.containers[1].devices[0].major"},
        Case{"UnknownCapability",
             [](v1::PodConfig& c) { SecondCmd(c).mutable_capabilities()->add_bounding("CAP_FLY"); },
             "config.containers[1].cmd.capabilities.bounding[0]"},
        Case{"EffectiveBeyondPermitted",
             [](v1::PodConfig& c) { SecondCmd(c).mutable_capabilities()->add_effective("CAP_CHOWN"); },
             "config.containers[1].cmd.capabilities.effective[0]"},
        Case{"AmbientNotInheritable",
             [](v1::PodConfig& c) {
               SecondCmd(c).mutable_capabilities()->add_permitted("CAP_CHOWN");
               SecondCmd(c).mutable_capabilities()->add_ambient("CAP_CHOWN");
             },
             "config.containers[1].cmd.capabilities.ambient[0]"},
        Case{"RlimitType", [](v1::PodConfig& c) { SecondCmd(c).add_rlimits()->set_type("NOFILE"); },
             "config.containers[1].cmd.rlimits[0].type"},
        Case{"RlimitTwice",
             [](v1::PodConfig& c) {
               SecondCmd(c).add_rlimits()->set_type("RLIMIT_CPU");
               SecondCmd(c).add_rlimits()->set_type("RLIMIT_CPU");
             },
             "config.containers[1].cmd.rlimits[1].type"},
        Case{"RlimitSoftAboveHard",
             [](v1::PodConfig& c) {
               SecondCmd(c).add_rlimits()->set_type("RLIMIT_CPU");
               SecondCmd(c).mutable_rlimits(0)->set_soft(1);
             },
             "config.containers[1].cmd.rlimits[0].soft"},
        Case{"OomScore", [](v1::PodConfig& c) { SecondCmd(c).set_oom_score_adj(-1001); },
             "config.containers[1].cmd.oom_score_adj"},
        Case{"Umask", [](v1::PodConfig& c) { SecondCmd(c).set_umask(01000); }, "config.containers[1].cmd.umask"},
        Case{"MaskedPath", [](v1::PodConfig& c) { Second(c).mutable_linux()->mutable_masked_paths()->add_paths("/"); },
             "config.containers[1].linux.masked_paths.paths[0]"},
        Case{"SysctlOfTheGuest",
             [](v1::PodConfig& c) { (*Second(c).mutable_linux()->mutable_sysctls())["vm.swappiness"] = "1"; },
             "config.containers[1].linux.sysctls key"},
        Case{"SysctlName",
             [](v1::PodConfig& c) { (*Second(c).mutable_linux()->mutable_sysctls())["net/../vm.x"] = "1"; },
             "config.containers[1].linux.sysctls key"},
        Case{"SeccompAction",
             [](v1::PodConfig& c) { Second(c).mutable_linux()->mutable_seccomp()->set_default_action("NO"); },
             "config.containers[1].linux.seccomp.default_action"},
        Case{"DnsServer", [](v1::PodConfig& c) { c.mutable_dns()->add_servers("dns.example"); },
             "config.dns.servers[0]"},
        Case{"DnsServers",
             [](v1::PodConfig& c) {
               for (int i = 0; i < 4; ++i) c.mutable_dns()->add_servers("10.0.0.1");
             },
             "config.dns.servers"},
        Case{"DnsSearch", [](v1::PodConfig& c) { c.mutable_dns()->add_searches("a\nnameserver b"); },
             "config.dns.searches[0]"},
        Case{"HostAliasIp", [](v1::PodConfig& c) { c.add_host_aliases()->add_hostnames("db"); },
             "config.host_aliases[0].ip"},
        Case{"HostAliasNames", [](v1::PodConfig& c) { c.add_host_aliases()->set_ip("::1"); },
             "config.host_aliases[0].hostnames"}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    NotImplemented, PodValidationTest,
    testing::Values(Case{"Sockets",
                         [](v1::PodConfig& c) {
                           ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
                               "device_id: 'd' id: 'i' host_path: '/p' name: 'n'", c.add_sockets()));
                         },
                         "config.sockets", absl::StatusCode::kUnimplemented},
                    Case{"Image", [](v1::PodConfig& c) { c.mutable_hypervisor_config()->set_image_path("/x"); },
                         "config.hypervisor_config.image_path", absl::StatusCode::kUnimplemented},
                    Case{"SizeWithoutTerminal",
                         [](v1::PodConfig& c) { SecondCmd(c).mutable_terminal_size()->set_rows(1); },
                         "config.containers[1].cmd.terminal_size"},
                    Case{"TerminalOfNoRows",
                         [](v1::PodConfig& c) {
                           SecondCmd(c).set_terminal(true);
                           SecondCmd(c).mutable_terminal_size()->set_columns(80);
                         },
                         "config.containers[1].cmd.terminal_size"},
                    Case{"TerminalThatNobodyReads",
                         [](v1::PodConfig& c) {
                           SecondCmd(c).set_terminal(true);
                           SecondCmd(c).set_detach(true);
                         },
                         "config.containers[1].cmd.terminal"}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

TEST(PodConfigTest, TakesAGoodPod) {
  EXPECT_TRUE(ValidatePodConfig(GoodPod(), true).ok());
  EXPECT_TRUE(ValidatePodConfig(v1::PodConfig(), true).ok());
}

TEST(PodConfigTest, TakesWhatTheGuestDoes) {
  v1::PodConfig config = GoodPod();
  v1::Cmd& cmd = *config.mutable_containers(0)->mutable_cmd();
  cmd.set_user("nobody:nogroup");
  cmd.add_supplementary_groups("10");
  cmd.mutable_capabilities()->add_bounding("CAP_CHOWN");
  cmd.set_no_new_privileges(true);
  cmd.set_interactive(true);
  cmd.set_work_dir("/tmp");
  cmd.add_envs()->set_name("EMPTY");
  v1::Rlimit& limit = *cmd.add_rlimits();
  limit.set_type("RLIMIT_NOFILE");
  limit.set_soft(5);
  limit.set_hard(~uint64_t{0});
  cmd.set_oom_score_adj(-1000);
  cmd.set_umask(0777);
  v1::Mount& mount = *config.mutable_containers(0)->add_mounts();
  mount.set_destination("/cache");
  mount.set_type("tmpfs");
  mount.add_options("size=1m");
  v1::Device& device = *config.mutable_containers(0)->add_devices();
  device.set_container_path("/dev/net/tun");
  device.set_type("c");
  device.set_major(10);
  device.set_minor(200);
  v1::LinuxSettings& linux = *config.mutable_containers(0)->mutable_linux();
  (*linux.mutable_sysctls())["net.ipv4.ip_forward"] = "1";
  linux.mutable_seccomp()->set_default_action("SCMP_ACT_ALLOW");
  linux.mutable_masked_paths()->add_paths("/proc/kcore");
  config.set_share_process_namespace(true);
  config.mutable_dns()->add_servers("fd00::1");
  config.mutable_dns()->add_options("ndots:2");
  config.add_host_aliases()->set_ip("10.0.0.7");
  config.mutable_host_aliases(0)->add_hostnames("db.example");
  config.mutable_containers(0)->mutable_resources();
  config.mutable_hooks()->add_prestart()->set_path("/usr/bin/probe");
  config.mutable_containers(0)->mutable_hooks()->add_poststop()->set_path("/usr/bin/probe");
  const absl::Status status = ValidatePodConfig(config, true);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(PodConfigTest, TakesAMegabyteOfArgumentsAndEnvironmentAndNotMore) {
  v1::Cmd cmd;
  cmd.add_args("echo");
  size_t left = kMaxCommandBytes - 4;
  while (left > 0) {
    const size_t size = std::min<size_t>(left, 100000);
    cmd.add_args(std::string(size, 'x'));
    left -= size;
  }
  EXPECT_TRUE(ValidateCmd(cmd).ok()) << ValidateCmd(cmd);
  cmd.add_envs()->set_name("A");
  const std::string message(ValidateCmd(cmd).message());
  EXPECT_THAT(message, HasSubstr("1048578 bytes"));
  EXPECT_THAT(message, HasSubstr("at most 1048576"));
  v1::Cmd many;
  for (int i = 0; i <= kMaxCommandStrings; ++i) many.add_args("x");
  EXPECT_THAT(std::string(ValidateCmd(many).message()), HasSubstr("at most 32768"));
}

TEST(PodConfigTest, AnAgentThatRunsNothingNeedsNeitherRootfsNorCommand) {
  v1::PodConfig config;
  config.add_containers();
  EXPECT_TRUE(ValidatePodConfig(config, /*runs_processes=*/false).ok());
  EXPECT_FALSE(ValidatePodConfig(config, /*runs_processes=*/true).ok());
}

TEST(PodConfigTest, LimitsAreForContainersWithProcesses) {
  v1::PodConfig config = GoodPod();
  config.mutable_containers(0)->mutable_resources()->set_pids_limit(5);
  EXPECT_TRUE(ValidatePodConfig(config, /*runs_processes=*/true).ok());
  EXPECT_EQ(ValidatePodConfig(config, /*runs_processes=*/false).code(), absl::StatusCode::kUnimplemented);
}

TEST(PodConfigTest, ErrorsComeBeforeWhatIsNotImplemented) {
  v1::PodConfig config = GoodPod();
  config.mutable_hypervisor_config()->set_image_path("/x");
  SecondCmd(config).clear_args();
  EXPECT_EQ(ValidatePodConfig(config, true).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ContainerValidationTest, UsesTheGivenPath) {
  v1::ContainerConfig config = GoodContainer("a");
  config.mutable_cmd()->clear_args();
  EXPECT_THAT(std::string(ValidateContainerConfig(config, true, "config").message()), HasSubstr("`config.cmd.args`"));
  v1::Cmd cmd;
  EXPECT_THAT(std::string(ValidateCmd(cmd, "cmd").message()), HasSubstr("`cmd.args`"));
}

}  // namespace
}  // namespace vcd
