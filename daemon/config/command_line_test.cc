// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_split.h"
#include "daemon/version.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

CommandLine Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "vcd");
  return ParseCommandLine(arguments);
}

// A file in /tmp that goes with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    const int fd = mkstemp(path_);
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
  }
  ~TemporaryFile() { std::remove(path_); }
  std::string path() const { return path_; }

 private:
  char path_[32] = "/tmp/vcd-test-XXXXXX";
};

TEST(CommandLineTest, EveryFlagFindsItsField) {
  const CommandLine line = Parse(absl::StrSplit(
      "--config /c --listen unix:///l --state-dir /s --run-dir /r --hypervisor mock --agent noop --network none "
      "--accelerator tcg --qemu /q --kernel /k --initrd /i --firmware /f --virtiofsd /v --boot-timeout 7 "
      "--max-parallel-boots 8 --stop-grace 9 --metrics-listen :9 --cgroup /pods --templates off --log-level debug --log-format json "
      "--check-config",
      ' '));
  ASSERT_FALSE(line.exit_code.has_value()) << line.text;
  EXPECT_EQ(line.config_path, "/c");
  EXPECT_TRUE(line.check_config);
  EXPECT_EQ(line.flags.listen(), "unix:///l");
  EXPECT_EQ(line.flags.state_dir(), "/s");
  EXPECT_EQ(line.flags.run_dir(), "/r");
  EXPECT_EQ(line.flags.hypervisor(), "mock");
  EXPECT_EQ(line.flags.agent(), "noop");
  EXPECT_EQ(line.flags.network(), "none");
  EXPECT_EQ(line.flags.qemu().accelerator(), "tcg");
  EXPECT_EQ(line.flags.qemu().path(), "/q");
  EXPECT_TRUE(line.flags.templates().disabled());
  EXPECT_EQ(line.flags.qemu().kernel_path(), "/k");
  EXPECT_EQ(line.flags.qemu().initrd_path(), "/i");
  EXPECT_EQ(line.flags.qemu().firmware_path(), "/f");
  EXPECT_EQ(line.flags.qemu().virtiofsd_path(), "/v");
  EXPECT_EQ(line.flags.qemu().boot_timeout_seconds(), 7u);
  EXPECT_EQ(line.flags.max_parallel_boots(), 8u);
  EXPECT_EQ(line.flags.metrics().listen(), ":9");
  EXPECT_EQ(line.flags.stop_grace_seconds(), 9u);
  EXPECT_EQ(line.flags.confinement().cgroup(), "/pods");
  EXPECT_EQ(line.flags.log().level(), "debug");
  EXPECT_EQ(line.flags.log().format(), "json");
}

TEST(CommandLineTest, CheckIsNotTheCheckOfTheConfiguration) {
  EXPECT_TRUE(Parse({"--check"}).check_host);
  EXPECT_FALSE(Parse({"--check"}).check_config);
  EXPECT_FALSE(Parse({"--check-config"}).check_host);
}

TEST(CommandLineTest, HelpAndVersionSucceed) {
  const CommandLine version = Parse({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.text, HasSubstr(kVersion));
  const CommandLine help = Parse({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.text, HasSubstr("--max-parallel-boots"));
}

TEST(CommandLineTest, MistakesExitWithTwoAndSayWhich) {
  for (const auto& [argument, word] :
       std::vector<std::pair<std::string, std::string>>{{"--no-such-flag", "no-such-flag"},
                                                        {"--stop-grace=x", "stop-grace"},
                                                        {"--stop-grace=-1", "stop-grace"},
                                                        {"--boot-timeout=0", "must be a number from 1 to 4294967295"},
                                                        {"--templates=maybe", "\"maybe\" is neither on nor off"},
                                                        {"stray", "stray"}}) {
    const CommandLine line = Parse({argument});
    EXPECT_EQ(line.exit_code, 2) << argument;
    EXPECT_THAT(line.text, HasSubstr(word));
  }
}

TEST(CommandLineTest, RelativePathsBecomeAbsolute) {
  EXPECT_EQ(Parse({"--state-dir", "a/../b"}).flags.state_dir()[0], '/');
  EXPECT_THAT(Parse({"--state-dir", "a/../b"}).flags.state_dir(), testing::EndsWith("/b"));
}

TEST(ResolveConfigTest, FlagsWinOverTheFileAndTheFileOverDefaults) {
  const TemporaryFile file(
      "state_dir = \"/file\"\nrun_dir = \"/file-run\"\n[log]\nlevel = \"error\"\nformat = \"json\"\n");
  const auto config = ResolveConfig(Parse({"--config", file.path(), "--state-dir", "/flag", "--log-level", "debug"}));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->state_dir(), "/flag");
  EXPECT_EQ(config->run_dir(), "/file-run");
  EXPECT_EQ(config->listen(), "unix:///file-run/vcd.sock");
  EXPECT_EQ(config->log().level(), "debug");
  EXPECT_EQ(config->log().format(), "json");
  EXPECT_EQ(config->agent(), "native");
}

TEST(ResolveConfigTest, NamedFileMustBeThere) {
  const auto config = ResolveConfig(Parse({"--config", "/nowhere/vcd.toml"}));
  EXPECT_EQ(config.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("/nowhere/vcd.toml"));
}

TEST(ResolveConfigTest, BadValuesAreErrors) {
  EXPECT_EQ(ResolveConfig(Parse({"--accelerator", "hvf"})).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vcd
