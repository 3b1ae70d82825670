// SPDX-License-Identifier: Apache-2.0
#include "client/pod/config_file.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ErrorOf(const std::string& text) {
  const auto config = ParsePodConfig("pod.yaml", text);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

TEST(ConfigFileTest, ReadsJsonAndYamlAlike) {
  const auto json = ParsePodConfig("f", R"({"id": "web", "containers": [{"id": "main", "cmd": {"args": ["sh", "-c"]}}],
	"resources": {"memory_mib": 64}})");
  ASSERT_TRUE(json.ok()) << json.status();
  const auto yaml = ParsePodConfig("f", R"(# a comment
id: web
containers:
- id: main
  cmd: {args: [sh, -c]}
resources: {memory_mib: 64}
)");
  ASSERT_TRUE(yaml.ok()) << yaml.status();
  EXPECT_EQ(json->SerializeAsString(), yaml->SerializeAsString());
  EXPECT_EQ(yaml->containers(0).cmd().args(1), "-c");
}

TEST(ConfigFileTest, NumbersWithAZeroBeforeThemAreOctalAsInYaml) {
  const auto config = ParsePodConfig("f", R"(id: 0077
containers:
- id: "007"
  cmd: {args: [sh, 0022], envs: [{name: MASK, value: 0022}], umask: 0077, oomScoreAdj: 010}
  devices: [{file_mode: 0640, major: 0, minor: 0o12, uid: "010", gid: 08}]
  linux: {sysctls: {net.a: 0022}}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->id(), "0077");
  const v1::ContainerConfig& container = config->containers(0);
  EXPECT_EQ(container.cmd().umask(), 077u);
  EXPECT_EQ(container.cmd().oom_score_adj(), 8);
  EXPECT_EQ(container.cmd().args(1), "0022");
  EXPECT_EQ(container.cmd().envs(0).value(), "0022");
  EXPECT_EQ(container.linux().sysctls().at("net.a"), "0022");
  const v1::Device& device = container.devices(0);
  EXPECT_EQ(device.file_mode(), 0640u);
  EXPECT_EQ(device.major(), 0);
  EXPECT_EQ(device.minor(), 10);
  EXPECT_EQ(device.uid(), 10u);
  EXPECT_EQ(device.gid(), 8u);
}

TEST(ConfigFileTest, NamesTheUnknownField) {
  EXPECT_THAT(ErrorOf("id: web\nhostnmae: x\n"), AllOf(HasSubstr("pod.yaml"), HasSubstr("hostnmae")));
  EXPECT_THAT(ErrorOf(R"({"containers": [{"cmd": {"arsg": []}}]})"), HasSubstr("arsg"));
}

TEST(ConfigFileTest, NamesTheFieldOfAWrongValue) {
  EXPECT_THAT(ErrorOf("resources: {memory_mib: much}\n"), AllOf(HasSubstr("memory_mib"), HasSubstr("much")));
}

TEST(ConfigFileTest, RefusesWhatIsNoConfiguration) {
  EXPECT_THAT(ErrorOf(" \n"), HasSubstr("is empty"));
  EXPECT_THAT(ErrorOf("just words\n"), HasSubstr("not a map"));
  EXPECT_THAT(ErrorOf("- id: a\n"), HasSubstr("not a map"));
  EXPECT_THAT(ErrorOf("a: [\n"), HasSubstr("line "));
  EXPECT_THAT(ErrorOf("{\"id\": "), HasSubstr("pod.yaml"));
}

TEST(ConfigFileTest, NamesAFileThatIsNotThere) {
  EXPECT_THAT(std::string(ReadPodConfig("/no/such/file", 0).status().message()),
              HasSubstr("/no/such/file: No such file or directory"));
  EXPECT_THAT(std::string(ReadPodConfig("/", 0).status().message()), HasSubstr("/: Is a directory"));
}

}  // namespace
}  // namespace vcd::client
