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
