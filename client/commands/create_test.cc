// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "client/posix/unique_fd.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A directory with one file, `image`.
class CreateCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(path_), nullptr);
    UniqueFd file(::open(image().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_TRUE(file.valid());
  }
  void TearDown() override {
    ::unlink(image().c_str());
    ::rmdir(path_);
  }
  std::string directory() const { return path_; }
  std::string image() const { return directory() + "/image"; }

  FakeServer server_;

 private:
  char path_[32] = "/tmp/vcd-test-XXXXXX";
};

TEST_F(CreateCommandTest, TurnsEveryRestrictionIntoItsField) {
  {
    std::ofstream profile(image());
    profile << R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                   "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                                 "args": [{"index": 1, "value": 2, "valueTwo": 3, "op": "SCMP_CMP_EQ"}]}]})";
  }
  const RunResult result = RunVc(server_, {"create",
                                           "--rootfs",
                                           directory(),
                                           "--read-only",
                                           "--group-add",
                                           "audio",
                                           "--ulimit",
                                           "nofile=10:20",
                                           "--umask",
                                           "077",
                                           "--oom-score-adj",
                                           "-5",
                                           "--cap-drop",
                                           "ALL",
                                           "--cap-add",
                                           "net_admin",
                                           "--security-opt",
                                           "no-new-privileges",
                                           "--security-opt",
                                           "seccomp=" + image(),
                                           "--tmpfs",
                                           "/cache:size=64m,mode=1777",
                                           "--shm-size",
                                           "1m",
                                           "--sysctl",
                                           "net.ipv4.ip_forward=1",
                                           "--pid",
                                           "pod",
                                           "--dns",
                                           "10.0.0.1",
                                           "--dns-search",
                                           "a.example",
                                           "--dns-option",
                                           "ndots:2",
                                           "--add-host",
                                           "db:fd00::1",
                                           "--",
                                           "sh"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(
      server_.last_config().ShortDebugString(),
      "containers { id: \"main\" rootfs { directory { path: \"" + directory() +
          "\" } readonly: true } cmd { args: \"sh\" supplementary_groups: \"audio\" "
          "capabilities { bounding: \"CAP_NET_ADMIN\" effective: \"CAP_NET_ADMIN\" permitted: \"CAP_NET_ADMIN\" } "
          "no_new_privileges: true rlimits { type: \"RLIMIT_NOFILE\" soft: 10 hard: 20 } oom_score_adj: -5 "
          "umask: 63 } "
          "mounts { source: \"tmpfs\" destination: \"/cache\" type: \"tmpfs\" options: \"nosuid\" "
          "options: \"nodev\" options: \"noexec\" options: \"size=64m\" options: \"mode=1777\" } "
          "linux { sysctls { key: \"net.ipv4.ip_forward\" value: \"1\" } shm_size_bytes: 1048576 "
          "seccomp { default_action: \"SCMP_ACT_ALLOW\" architectures: \"SCMP_ARCH_X86_64\" "
          "syscalls { names: \"mkdir\" action: \"SCMP_ACT_ERRNO\" errno_ret: 1 "
          "args { index: 1 value: 2 value_two: 3 op: \"SCMP_CMP_EQ\" } } } } } "
          "share_process_namespace: true dns { servers: \"10.0.0.1\" searches: \"a.example\" "
          "options: \"ndots:2\" } host_aliases { ip: \"fd00::1\" hostnames: \"db\" }");
}

TEST_F(CreateCommandTest, CapabilitiesAreAddedToTheUsualOnes) {
  ASSERT_EQ(
      RunVc(server_, {"create", "--rootfs", directory(), "--cap-add", "NET_ADMIN", "--cap-drop", "MKNOD", "--", "sh"})
          .exit_status,
      0);
  const v1::LinuxCapabilities sets = server_.last_config().containers(0).cmd().capabilities();
  EXPECT_EQ(sets.bounding_size(), 14);
  EXPECT_THAT(sets.effective(), AllOf(Contains("CAP_NET_ADMIN"), Contains("CAP_CHOWN"), Not(Contains("CAP_MKNOD"))));
}

TEST_F(CreateCommandTest, RefusesRestrictionsThatAreNone) {
  struct Wrong {
    const char* option;
    std::string value;
  };
  for (const Wrong& wrong : {Wrong{"--cap-add", "FLY"}, Wrong{"--ulimit", "nofile"}, Wrong{"--umask", "9"},
                             Wrong{"--oom-score-adj", "much"}, Wrong{"--security-opt", "apparmor=x"},
                             Wrong{"--shm-size", "big"}, Wrong{"--sysctl", "x"}, Wrong{"--add-host", "db"}}) {
    const RunResult result = RunVc(server_, {"create", "--rootfs", directory(), wrong.option, wrong.value, "--", "sh"});
    EXPECT_EQ(result.exit_status, 2) << wrong.option;
    EXPECT_THAT(result.err, HasSubstr(std::string(wrong.option) + " \"" + wrong.value + "\""));
  }
  const RunResult missing =
      RunVc(server_, {"create", "--rootfs", directory(), "--security-opt", "seccomp=/no/such", "--", "sh"});
  EXPECT_THAT(missing.err, HasSubstr("/no/such: No such file"));
  EXPECT_THAT(server_.calls(), IsEmpty());
}

TEST_F(CreateCommandTest, TheMachinesSizeHasUnitsAndIsNotZero) {
  struct Size {
    const char* text;
    uint32_t mib;
  };
  for (const Size& size : {Size{"96", 96}, Size{"512M", 512}, Size{"512m", 512}, Size{"2G", 2048}}) {
    const RunResult result =
        RunVc(server_, {"create", "--id", size.text, "--rootfs", directory(), "--memory", size.text, "--", "sh"});
    ASSERT_EQ(result.exit_status, 0) << result.err;
    EXPECT_EQ(server_.last_config().resources().memory_mib(), size.mib) << size.text;
  }
  for (const char* text : {"0", "abc", "1.5G", "-1", "G", "9999999G", "512K"}) {
    const RunResult result = RunVc(server_, {"create", "--rootfs", directory(), "--memory", text, "--", "sh"});
    EXPECT_EQ(result.exit_status, 2) << text;
    EXPECT_THAT(result.err, HasSubstr("must be MiB, or a size such as 512M or 2G, and not 0"));
  }
  const RunResult result = RunVc(server_, {"create", "--rootfs", directory(), "--cpus", "0", "--", "sh"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, HasSubstr("--cpus: \"0\" must be a number from 1 to 4294967295"));
}

TEST_F(CreateCommandTest, TurnsEveryOptionIntoItsField) {
  RunOptions options;
  options.variables["HOME"] = "/root";
  const RunResult result = RunVc(server_, {"create",     "--id",
                                           "web",        "--rootfs",
                                           directory(),  "--readonly",
                                           "-i",         "-e",
                                           "A=1=2",      "-e",
                                           "HOME",       "-w",
                                           "/srv",       "-u",
                                           "www:data",   "--hostname",
                                           "host",       "--memory",
                                           "256",        "--cpus",
                                           "2",          "--hypervisor",
                                           "qemu",       "--agent",
                                           "native",     "--network",
                                           "none",       "--kernel",
                                           "/k",         "--initrd",
                                           "/i",         "--firmware",
                                           "/f",         "--accelerator",
                                           "tcg",        "--kernel-param",
                                           "loglevel=7", "--kernel-param",
                                           "quiet",      "--annotation",
                                           "a.b/c=d=e",  "--container-id",
                                           "app",        "--",
                                           "sh",         "-c",
                                           "echo hi"},
                                 options);
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "web\n");
  EXPECT_EQ(server_.last_config().ShortDebugString(),
            "id: \"web\" hostname: \"host\" resources { memory_mib: 256 vcpus: 2 } hypervisor: \"qemu\" "
            "hypervisor_config { kernel_path: \"/k\" initrd_path: \"/i\" firmware_path: \"/f\" "
            "kernel_params { key: \"loglevel\" value: \"7\" } kernel_params { key: \"quiet\" } accelerator: \"tcg\" } "
            "agent: \"native\" network: \"none\" containers { id: \"app\" rootfs { directory { path: \"" +
                directory() +
                "\" } readonly: true } cmd { args: \"sh\" args: \"-c\" args: \"echo hi\" "
                "envs { name: \"A\" value: \"1=2\" } envs { name: \"HOME\" value: \"/root\" } user: \"www\" "
                "primary_group: \"data\" work_dir: \"/srv\" interactive: true } } "
                "annotations { key: \"a.b/c\" value: \"d=e\" }");
  EXPECT_THAT(server_.calls(), ElementsAre(HasSubstr("CreatePod ")));
}

TEST_F(CreateCommandTest, TurnsNetworksIntoTheirFields) {
  int pods = 0;
  const auto network = [&](const std::vector<std::string>& options) {
    std::vector<std::string> words = {"create", "--id", "pod-" + std::to_string(++pods), "--rootfs", directory()};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "sh"});
    const RunResult result = RunVc(server_, words);
    EXPECT_EQ(result.exit_status, 0) << result.err;
    return server_.last_config().network() + ": " + server_.last_config().network_config().ShortDebugString();
  };
  EXPECT_EQ(network({}), ": ");
  EXPECT_EQ(network({"--network", "cnm"}), "cnm: ");
  EXPECT_EQ(network({"--network", "default,storage"}),
            "cni: networks { name: \"default\" } networks { name: \"storage\" }");
  EXPECT_EQ(network({"--network", "netns:/run/netns/blue"}), "cnm: netns_path: \"/run/netns/blue\"");
  EXPECT_EQ(network({"--network", "pid:4711"}), "cnm: netns_pid: 4711");
  EXPECT_EQ(network({"--network", "pid:4711", "--network-passthrough", "eth1", "--network-passthrough", "eth2"}),
            "cnm: netns_pid: 4711 passthrough_interfaces: \"eth1\" passthrough_interfaces: \"eth2\"");
  EXPECT_EQ(network({"--network", "lan", "-p", "8080:80", "--ip", "10.88.0.7/16", "--mac", "02:00:5e:00:53:07",
                     "--network-join", "bridge"}),
            "cni: networks { name: \"lan\" ips: \"10.88.0.7/16\" mac: \"02:00:5e:00:53:07\" "
            "port_mappings { host_port: 8080 container_port: 80 } } join: INTERFACE_JOIN_BRIDGE");
  EXPECT_EQ(network({"--network", "cni", "-p", "8080:80"}),
            "cni: networks { port_mappings { host_port: 8080 container_port: 80 } }");
}

TEST_F(CreateCommandTest, RefusesNetworksThatAreNone) {
  const std::vector<std::vector<std::string>> wrong = {{"--network", "a,,b"},
                                                       {"--network", "netns:"},
                                                       {"--network", "pid:x"},
                                                       {"--network", "pid:0"},
                                                       {"--network", "lan", "-p", "80"},
                                                       {"-p", "8080:80"},
                                                       {"--network", "none", "--ip", "10.0.0.7/24"},
                                                       {"--network", "lan", "--network-join", "glue"}};
  for (const std::vector<std::string>& options : wrong) {
    std::vector<std::string> words = {"create", "--rootfs", directory()};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "sh"});
    EXPECT_EQ(RunVc(server_, words).exit_status, 2) << options.back();
  }
  EXPECT_THAT(server_.calls(), IsEmpty());
}

TEST_F(CreateCommandTest, TakesAFileForAnImage) {
  ASSERT_EQ(RunVc(server_, {"create", "--rootfs", image(), "--", "x"}).exit_status, 0);
  EXPECT_EQ(server_.last_config().containers(0).rootfs().image().path(), image());
  EXPECT_EQ(server_.last_config().containers(0).id(), "main");
}

TEST_F(CreateCommandTest, TakesAWritableImageForTheContainersOwn) {
  ASSERT_EQ(RunVc(server_, {"create", "--rootfs", image(), "--rootfs-writable", "--", "x"}).exit_status, 0);
  EXPECT_EQ(server_.last_config().containers(0).rootfs().block().path(), image());
  EXPECT_THAT(RunVc(server_, {"create", "--rootfs", directory(), "--rootfs-writable", "--", "x"}).err,
              HasSubstr("writes to anyway"));
  EXPECT_THAT(RunVc(server_, {"create", "--rootfs-writable", "--", "x"}).err, HasSubstr("needs --rootfs"));
}

TEST_F(CreateCommandTest, TurnsFilesAndDevicesIntoTheirFields) {
  ASSERT_EQ(RunVc(server_, {"create",
                            "--volume-tag",
                            "logs:/srv/logs",
                            "--volume-tag",
                            "seed:/srv/seed:ro",
                            "-v",
                            "/srv/data:/data",
                            "--volume",
                            "/etc/hosts:/hosts:ro,noexec",
                            "-v",
                            "logs:/var/log",
                            "--mount",
                            "type=ext4,src=/srv/disk.img,dst=/disk,ro,data=ordered",
                            "--mount",
                            "src=/srv/x,target=/x,readonly",
                            "--mount",
                            "type=tmpfs,dst=/cache,size=1m",
                            "--device",
                            "/dev/sdb",
                            "--device",
                            "/srv/raw.img:/dev/raw:ro",
                            "--",
                            "x"})
                .exit_status,
            0);
  const v1::PodConfig config = server_.last_config();
  EXPECT_EQ(config.volumes(0).ShortDebugString(), "mount_tag: \"logs\" host_path: \"/srv/logs\"");
  EXPECT_EQ(config.volumes(1).ShortDebugString(), "mount_tag: \"seed\" host_path: \"/srv/seed\" readonly: true");
  std::vector<std::string> mounts, devices;
  for (const v1::Mount& mount : config.containers(0).mounts()) mounts.push_back(mount.ShortDebugString());
  for (const v1::Device& device : config.containers(0).devices()) devices.push_back(device.ShortDebugString());
  EXPECT_THAT(
      mounts,
      ElementsAre("source: \"/srv/data\" destination: \"/data\" type: \"bind\" options: \"rbind\"",
                  "source: \"/etc/hosts\" destination: \"/hosts\" type: \"bind\" options: \"rbind\" options: \"ro\" "
                  "options: \"noexec\"",
                  "source: \"logs\" destination: \"/var/log\" type: \"volume\"",
                  "source: \"/srv/disk.img\" destination: \"/disk\" type: \"ext4\" options: \"ro\" options: "
                  "\"data=ordered\"",
                  "source: \"/srv/x\" destination: \"/x\" type: \"bind\" options: \"ro\"",
                  "destination: \"/cache\" type: \"tmpfs\" options: \"size=1m\""));
  EXPECT_THAT(devices, ElementsAre("container_path: \"/dev/sdb\" host_path: \"/dev/sdb\"",
                                   "container_path: \"/dev/raw\" host_path: \"/srv/raw.img\" readonly: true"));
}

TEST_F(CreateCommandTest, NamesFilesAndDevicesThatItCannotUnderstand) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"-v", "/srv"}, "-v \"/srv\": must be SRC:DST"},
      {{"-v", "/srv::ro"}, "must be SRC:DST"},
      {{"--mount", "type=ext4,src=/x"}, "--mount \"type=ext4,src=/x\": has no dst"},
      {{"--device", "/srv/raw.img"}, "below /dev in the container"},
      {{"--device", "/dev/sda:/dev/x:rwm"}, "must be HOST"},
      {{"--volume-tag", "data"}, "must be TAG:PATH"},
      {{"--volume-tag", "data:/srv:rw"}, "must be TAG:PATH"},
  };
  for (const auto& [words, problem] : cases) {
    std::vector<std::string> all = {"create"};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--", "x"});
    const RunResult result = RunVc(server_, all);
    EXPECT_EQ(result.exit_status, 2);
    EXPECT_THAT(result.err, HasSubstr(problem));
  }
  EXPECT_THAT(server_.calls(), IsEmpty());
}

TEST_F(CreateCommandTest, MakesPathsAbsolute) {
  char before[4096];
  ASSERT_NE(::getcwd(before, sizeof before), nullptr);
  ASSERT_EQ(::chdir(directory().c_str()), 0);
  EXPECT_EQ(RunVc(server_, {"create", "--rootfs", "./image", "--kernel", "k", "--", "x"}).exit_status, 0);
  ASSERT_EQ(::chdir(before), 0);
  EXPECT_EQ(server_.last_config().containers(0).rootfs().image().path(), image());
  EXPECT_EQ(server_.last_config().hypervisor_config().kernel_path(), directory() + "/k");
}

TEST_F(CreateCommandTest, PrintsTheIdThatTheDaemonMadeUp) {
  EXPECT_EQ(RunVc(server_, {"create", "--", "x"}).out, "generated\n");
}

TEST_F(CreateCommandTest, NamesARootfsThatIsNotThere) {
  const RunResult result = RunVc(server_, {"create", "--rootfs", "/no/such", "--", "x"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, HasSubstr("vc: create: --rootfs /no/such: No such file or directory"));
  EXPECT_THAT(RunVc(server_, {"create", "--rootfs", "/dev/null", "--", "x"}).err, HasSubstr("neither a directory"));
  EXPECT_THAT(server_.calls(), IsEmpty());
}

TEST_F(CreateCommandTest, RefusesWhatItCannotUnderstand) {
  EXPECT_THAT(RunVc(server_, {"create"}).err, HasSubstr("a command is needed"));
  EXPECT_THAT(RunVc(server_, {"create", "-e", "UNSET", "--", "x"}).err, HasSubstr("-e UNSET: is not set"));
  EXPECT_THAT(RunVc(server_, {"create", "--annotation", "x", "--", "x"}).err, HasSubstr("must be KEY=VALUE"));
  EXPECT_EQ(RunVc(server_, {"create", "-e", "=x", "--", "x"}).exit_status, 2);
  EXPECT_THAT(server_.calls(), IsEmpty());
}

TEST_F(CreateCommandTest, ReadsTheConfigurationAndLetsOptionsWin) {
  RunOptions options;
  options.stdin_text =
      "id: file\nhostname: h\nresources: {memory_mib: 64, vcpus: 1}\ncontainers:\n- id: app\n  cmd:\n    args: "
      "[serve]\n"
      "    envs: [{name: A, value: '1'}, {name: B, value: '2'}]\n";
  ASSERT_EQ(RunVc(server_, {"create", "-f", "-", "--id", "flag", "--memory", "128", "-e", "A=9"}, options).exit_status,
            0);
  EXPECT_EQ(server_.last_config().ShortDebugString(),
            "id: \"flag\" hostname: \"h\" resources { memory_mib: 128 vcpus: 1 } containers { id: \"app\" cmd { "
            "args: \"serve\" envs { name: \"B\" value: \"2\" } envs { name: \"A\" value: \"9\" } } }");
}

TEST_F(CreateCommandTest, NamesAnUnknownFieldOfTheConfiguration) {
  RunOptions options;
  options.stdin_text = "{\"hostnmae\": \"x\"}";
  const RunResult result = RunVc(server_, {"create", "-f", "-"}, options);
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("vc: create: standard input: "), HasSubstr("hostnmae")));
}

TEST_F(CreateCommandTest, WantsToKnowWhichContainerIsMeant) {
  RunOptions options;
  options.stdin_text = "{\"containers\": [{\"id\": \"a\", \"cmd\": {\"args\": [\"x\"]}}, {\"id\": \"b\"}]}";
  EXPECT_THAT(RunVc(server_, {"create", "-f", "-"}, options).err, HasSubstr("has no container \"main\" but a, b"));
  EXPECT_EQ(RunVc(server_, {"create", "-f", "-", "--container-id", "a"}, options).exit_status, 0);
}

TEST_F(CreateCommandTest, PassesOnWhatTheDaemonSays) {
  server_.Fail("CreatePod", DaemonError(grpc::StatusCode::ALREADY_EXISTS, "POD_EXISTS", "pod \"web\" exists"));
  const RunResult result = RunVc(server_, {"create", "--id", "web", "--", "x"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: create web: pod \"web\" exists\n");
}

}  // namespace
}  // namespace vcd::client
