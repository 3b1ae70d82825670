// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/config_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ConfigLoaderTest, WhatIsNoTomlIsSaid) {
  for (const char* text : {"[", "[!", "[\x01", "[a.", "[[", "[[x", "a", "a =", "a = [", "= 1", "a = \"", "\xff"}) {
    const absl::Status status = ParseConfig(text, "f.toml").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("f.toml")) << text;
  }
}

TEST(ConfigLoaderTest, EveryKeyFindsItsField) {
  const auto config = ParseConfig(R"(
listen = "unix:///tmp/a.sock"
state_dir = "/s"
run_dir = "/r"
hypervisor = "mock"
agent = "noop"
network = "none"
max_parallel_boots = 3
stop_grace_seconds = 4
[metrics]
listen = "127.0.0.1:9400"
[health]
interval_seconds = 0
timeout_seconds = 7
[log]
level = "debug"
format = "json"
[logs]
max_file_bytes = 100000
max_files = 7
[qemu]
path = "/q"
kernel_path = "/k"
initrd_path = "/i"
firmware_path = "/f"
machine_type = "q35"
accelerator = "tcg"
virtiofsd_path = "/v"
default_vcpus = 2
default_memory_mib = 256
boot_timeout_seconds = 5
[networks]
cni_config_dir = "/c"
cni_plugin_dirs = ["/p", "/q"]
cni_timeout_seconds = 6
default_subnet = ""
[templates]
disabled = true
[admission]
ignore_memory = false
)",
                                  "f.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen(), "unix:///tmp/a.sock");
  EXPECT_EQ(config->max_parallel_boots(), 3u);
  EXPECT_EQ(config->metrics().listen(), "127.0.0.1:9400");
  EXPECT_EQ(config->log().format(), "json");
  EXPECT_EQ(config->logs().max_file_bytes(), 100000u);
  EXPECT_EQ(config->logs().max_files(), 7u);
  EXPECT_EQ(config->qemu().accelerator(), "tcg");
  EXPECT_EQ(config->qemu().boot_timeout_seconds(), 5u);
  EXPECT_THAT(config->networks().cni_plugin_dirs(), ElementsAre("/p", "/q"));
  EXPECT_EQ(config->networks().cni_timeout_seconds(), 6u);
  EXPECT_TRUE(config->networks().has_default_subnet()) << "empty is said, and is not the default";
  EXPECT_TRUE(config->health().has_interval_seconds()) << "0 is said, and is not the default";
  EXPECT_EQ(config->health().timeout_seconds(), 7u);
  EXPECT_TRUE(config->templates().disabled());
  EXPECT_TRUE(config->admission().has_ignore_memory());
  EXPECT_FALSE(config->admission().ignore_memory());
}

// All blocks of TOML in a page, one after the other.
std::string TomlOf(const std::string& page) {
  std::ifstream file(page);
  std::string toml;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "```toml" || line == "```") {
      inside = line == "```toml";
    } else if (inside) {
      toml += line + "\n";
    }
  }
  return toml;
}

TEST(ConfigLoaderTest, WhatTheDocumentationShowsIsTaken) {
  for (const std::string page : {"docs/reference/configuration.md", "docs/guides/mock_backends.md"}) {
    const std::string toml = TomlOf(page);
    ASSERT_FALSE(toml.empty()) << page;
    auto config = ParseConfig(toml, page);
    ASSERT_TRUE(config.ok()) << config.status();
    FillDefaults(*config);
    EXPECT_TRUE(CheckConfig(*config).ok()) << page << ": " << CheckConfig(*config);
  }
}

struct BadFile {
  const char* name;
  const char* text;
  const char* message;
};

class BadConfigTest : public testing::TestWithParam<BadFile> {};

TEST_P(BadConfigTest, IsRefusedNamingLineAndKey) {
  const auto config = ParseConfig(GetParam().text, "f.toml");
  ASSERT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadConfigTest,
    testing::Values(BadFile{"UnknownKey", "listen = \"x\"\n\nlisen = \"y\"\n",
                            "f.toml:3:1: unknown key `lisen`; known are listen"},
                    BadFile{"UnknownKeyInTable", "[qemu]\nkernel = \"x\"\n", "f.toml:2:1: unknown key `qemu.kernel`"},
                    BadFile{"StringForNumber", "max_parallel_boots = \"2\"\n",
                            "f.toml:1:22: `max_parallel_boots` must be a whole number"},
                    BadFile{"NumberForString", "listen = 2\n", "`listen` must be a string, not of type integer"},
                    BadFile{"StringForBool", "[templates]\ndisabled = \"off\"\n",
                            "f.toml:2:12: `templates.disabled` must be true or false, not of type string"},
                    BadFile{"ArrayForTable", "qemu = [1]\n", "`qemu` must be a table"},
                    BadFile{"StringForArray", "[networks]\ncni_plugin_dirs = \"/p\"\n",
                            "f.toml:2:19: `networks.cni_plugin_dirs` must be an array of strings, not of type string"},
                    BadFile{"NumberInArray", "[networks]\ncni_plugin_dirs = [\"/p\", 1]\n",
                            "f.toml:2:26: `networks.cni_plugin_dirs` must be an array of strings"},
                    BadFile{"Negative", "stop_grace_seconds = -1\n", "`stop_grace_seconds` is -1"},
                    BadFile{"TooLarge", "stop_grace_seconds = 4294967296\n", "4294967296; it must be"},
                    BadFile{"BrokenToml", "listen = \n", "f.toml:1:"},
                    BadFile{"TwiceTheSameKey", "listen = \"a\"\nlisten = \"b\"\n", "f.toml:2:"}),
    [](const auto& test) { return test.param.name; });

TEST(ConfigLoaderTest, DefaultsFillOnlyWhatIsEmpty) {
  config::v1::DaemonConfig config;
  config.set_run_dir("/tmp/x");
  config.mutable_log()->set_level("error");
  FillDefaults(config);
  EXPECT_EQ(config.listen(), "unix:///tmp/x/vcd.sock");
  EXPECT_EQ(config.log().level(), "error");
  EXPECT_EQ(config.log().format(), "text");
  EXPECT_EQ(config.hypervisor(), "qemu");
  EXPECT_GE(config.max_parallel_boots(), 1u);
  EXPECT_EQ(config.health().interval_seconds(), 10u);
  EXPECT_EQ(config.health().timeout_seconds(), 30u);
  EXPECT_EQ(config.confinement().user(), "private");
  EXPECT_EQ(config.confinement().cgroup(), "/vcd");
  EXPECT_EQ(config.confinement().first_uid() + config.confinement().uid_count(), 2147352576u);
  EXPECT_EQ(config.networks().cni_config_dir(), "/etc/cni/net.d");
  EXPECT_THAT(config.networks().cni_plugin_dirs(), ElementsAre("/opt/cni/bin", "/usr/lib/cni"));
  EXPECT_EQ(config.networks().default_subnet(), "10.213.0.0/16");
  EXPECT_EQ(config.networks().default_subnet6(), "fd76:6364::/64");
  EXPECT_TRUE(CheckConfig(config).ok()) << CheckConfig(config);
}

TEST(ConfigLoaderTest, ValuesAreCheckedByName) {
  const auto problem_of = [](const std::function<void(config::v1::DaemonConfig&)>& change) {
    config::v1::DaemonConfig config;
    FillDefaults(config);
    change(config);
    return std::string(CheckConfig(config).message());
  };
  EXPECT_THAT(problem_of([](auto& c) { c.set_state_dir("rel"); }),
              HasSubstr("`state_dir`: `rel` is not an absolute path"));
  EXPECT_THAT(problem_of([](auto& c) { c.set_run_dir(c.state_dir()); }), HasSubstr("`run_dir`"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_log()->set_level("loud"); }),
              HasSubstr("`log.level`: `loud` is none of debug"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_qemu()->set_accelerator("hvf"); }), HasSubstr("auto, kvm, tcg"));
  EXPECT_THAT(problem_of([](auto& c) { c.set_listen("tcp://0.0.0.0:1"); }), HasSubstr("mutual TLS"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_metrics()->set_listen("9400"); }), HasSubstr("`metrics.listen`"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_metrics()->set_listen(c.listen()); }), HasSubstr("must differ"));
  EXPECT_EQ(problem_of([](auto& c) { c.mutable_metrics()->set_listen("127.0.0.1:0"); }), "");
  EXPECT_THAT(problem_of([](auto& c) { c.set_stop_grace_seconds(99999); }), HasSubstr("`stop_grace_seconds`"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_streams()->set_exec_backlog_bytes(1000); }),
              HasSubstr("`streams.exec_backlog_bytes`: 1000 is less than 65536"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_streams()->set_exec_backlog_bytes(300 << 20); }),
              HasSubstr("`streams.exec_backlog_bytes`"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_streams()->set_slow_reader_seconds(4000); }),
              HasSubstr("`streams.slow_reader_seconds`"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_logs()->set_max_file_bytes(1000); }),
              HasSubstr("`logs.max_file_bytes`: 1000 is less than 65536"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_logs()->set_max_files(1); }), HasSubstr("`logs.max_files`"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_health()->set_timeout_seconds(19); }),
              HasSubstr("`health.timeout_seconds`: 19 is less than twice"));
  EXPECT_EQ(problem_of([](auto& c) { c.mutable_health()->set_interval_seconds(0); }), "") << "off";
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_qemu()->set_max_console_bytes(100); }),
              HasSubstr("`qemu.max_console_bytes`: 100 is less than 4096"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_confinement()->set_user("nobody"); }),
              HasSubstr("`confinement.user`: `nobody` is none of private, root"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_confinement()->set_first_uid(1000); }),
              HasSubstr("`confinement.first_uid`: 1000 is less than 65536"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_confinement()->set_uid_count(4000000000); }),
              HasSubstr("`confinement.uid_count`: 4000000000 from 1879048192 on are more than there are"));
  for (const char* path : {"vcd", "/", "/a/../b", "/a//b", "/a/"}) {
    EXPECT_THAT(problem_of([&](auto& c) { c.mutable_confinement()->set_cgroup(path); }),
                HasSubstr("`confinement.cgroup`"))
        << path;
  }
  EXPECT_EQ(problem_of([](auto& c) { c.mutable_confinement()->set_cgroup("none"); }), "");
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_admission()->set_memory_reserve_mib(16777217); }),
              HasSubstr("`admission.memory_reserve_mib`: 16777217 is more than 16777216"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_templates()->set_warm_machines(17); }),
              HasSubstr("`templates.warm_machines`: 17 is more than 16"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_hooks()->set_timeout_seconds(301); }),
              HasSubstr("`hooks.timeout_seconds`: 301 is more than `hooks.max_timeout_seconds`, 300"));
  EXPECT_THAT(problem_of([](auto& c) { c.mutable_hooks()->set_max_timeout_seconds(3601); }),
              HasSubstr("`hooks.max_timeout_seconds`: 3601 is more than 3600"));
  EXPECT_EQ(problem_of([](auto& c) { c.mutable_confinement()->set_cgroup("/machine/vcd"); }), "");
}

TEST(ConfigLoaderTest, NetworksAreCheckedByName) {
  const auto problem_of = [](const std::function<void(config::v1::NetworksConfig&)>& change) {
    config::v1::DaemonConfig config;
    FillDefaults(config);
    change(*config.mutable_networks());
    return std::string(CheckConfig(config).message());
  };
  EXPECT_THAT(problem_of([](auto& c) { c.set_cni_config_dir("net.d"); }), HasSubstr("`networks.cni_config_dir`"));
  EXPECT_THAT(problem_of([](auto& c) { c.add_cni_plugin_dirs("bin"); }), HasSubstr("`networks.cni_plugin_dirs`"));
  EXPECT_THAT(problem_of([](auto& c) { c.add_cni_plugin_dirs("/a:/b"); }), HasSubstr("holds a colon"));
  EXPECT_THAT(problem_of([](auto& c) { c.set_cni_timeout_seconds(3601); }),
              HasSubstr("`networks.cni_timeout_seconds`: 3601 is more than 3600"));
  for (const char* subnet :
       {"10.0.0.0", "10.0.0.0/", "10.0.0.0/x", "10.0.0.1/16", "10.0.0.0/31", "0.0.0.0/0", "a/8", "fd00::/64"}) {
    EXPECT_THAT(problem_of([&](auto& c) { c.set_default_subnet(subnet); }), HasSubstr("`networks.default_subnet`"))
        << subnet;
  }
  for (const char* subnet : {"10.0.0.0/16", "fd00::1/64", "fd00::/127", "fd00::"}) {
    EXPECT_THAT(problem_of([&](auto& c) { c.set_default_subnet6(subnet); }), HasSubstr("`networks.default_subnet6`"))
        << subnet;
  }
  EXPECT_EQ(problem_of([](auto& c) { c.set_default_subnet(""); }), "");
  EXPECT_EQ(problem_of([](auto& c) { c.set_default_subnet6(""); }), "");
  EXPECT_THAT(problem_of([](auto& c) {
                c.set_default_subnet("");
                c.set_default_subnet6("");
              }),
              HasSubstr("must not both be empty"));
  for (const char* bridge : {"a/b", "0123456789abcdef", "a b", ".."}) {
    EXPECT_THAT(problem_of([&](auto& c) { c.set_default_bridge(bridge); }), HasSubstr("`networks.default_bridge`"))
        << bridge;
  }
}

TEST(ConfigLoaderTest, FilesThatCannotBeReadAreNamed) {
  EXPECT_EQ(LoadConfigFile("/nowhere/vcd.toml").status().code(), absl::StatusCode::kNotFound);
  const auto directory = LoadConfigFile("/tmp");
  EXPECT_FALSE(directory.ok());
  EXPECT_THAT(std::string(directory.status().message()), HasSubstr("/tmp"));
}

TEST(ConfigLoaderTest, EmptyFileIsEmpty) { EXPECT_TRUE(LoadConfigFile("/dev/null").ok()); }

}  // namespace
}  // namespace vcd
