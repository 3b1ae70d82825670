// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_configuration.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kList[] = R"({"cniVersion": "1.0.0", "name": "lan", "plugins": [
  {"type": "bridge", "ipam": {"type": "host-local"}, "x": 1, "capabilities": {"mac": true, "ips": false}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]})";

TEST(CniConfigurationTest, ReadsAListAndWritesItAgain) {
  const absl::StatusOr<CniConfiguration> list = ParseCniConfiguration(kList, "10-lan.conflist");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->name, "lan");
  EXPECT_TRUE(list->check);
  EXPECT_THAT(list->Programs(), ElementsAre("bridge", "host-local", "portmap"));
  EXPECT_TRUE(list->Can("portMappings"));
  EXPECT_TRUE(list->Can("mac"));
  EXPECT_FALSE(list->Can("ips"));
  EXPECT_EQ(list->plugins[0].document["x"], 1);
  const absl::StatusOr<CniConfiguration> again = ParseCniConfiguration(CniText(list->ToJson()), "record");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->ToJson(), list->ToJson());
}

TEST(CniConfigurationTest, ReadsASinglePlugin) {
  const absl::StatusOr<CniConfiguration> single =
      ParseCniConfiguration(R"({"cniVersion": "0.3.1", "name": "lo", "type": "loopback"})", "99-lo.conf");
  ASSERT_TRUE(single.ok()) << single.status();
  EXPECT_THAT(single->Programs(), ElementsAre("loopback"));
  EXPECT_FALSE(single->check);  // Came with 0.4.0.
}

struct WrongCase {
  const char* name;
  std::string text;
  const char* problem;
};

class WrongCniConfigurationTest : public testing::TestWithParam<WrongCase> {};

TEST_P(WrongCniConfigurationTest, NamesFileAndField) {
  const absl::Status status = ParseCniConfiguration(GetParam().text, "10-lan.conf").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("10-lan.conf: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongCniConfigurationTest,
    testing::Values(
        WrongCase{"NoJson", "name: lan", "is not JSON"}, WrongCase{"NoObject", "[1]", "is no JSON object"},
        WrongCase{"Deep", std::string(100000, '[') + std::string(100000, ']'), "nested deeper"},
        WrongCase{"NoName", R"({"cniVersion": "1.0.0", "type": "x"})", "`name` is missing"},
        WrongCase{"NameIsNumber", R"({"cniVersion": "1.0.0", "name": 1})", "`name` must be a string"},
        WrongCase{"NameIsPath", R"({"cniVersion": "1.0.0", "name": "../x"})", "`name` is"},
        WrongCase{"NoVersion", R"({"name": "lan", "type": "x"})",
                  "`cniVersion` is missing; known are 0.3.1, 0.4.0, 1.0.0"},
        WrongCase{"NewVersion", R"({"cniVersion": "9.0.0", "name": "lan"})", "`cniVersion` is \"9.0.0\"; known are"},
        WrongCase{"NoType", R"({"cniVersion": "1.0.0", "name": "lan"})", "`type` is missing"},
        WrongCase{"TypeIsPath", R"({"cniVersion": "1.0.0", "name": "lan", "type": "../sh"})", "without directories"},
        WrongCase{"IpamIsPath", R"({"cniVersion": "1.0.0", "name": "lan", "type": "x", "ipam": {"type": "/bin/sh"}})",
                  "ipam: `type`"},
        WrongCase{"NoPlugins", R"({"cniVersion": "1.0.0", "name": "lan", "plugins": []})", "one plugin or more"},
        WrongCase{"PluginIsString", R"({"cniVersion": "1.0.0", "name": "lan", "plugins": ["x"]})",
                  "plugins[0]: must be an object"},
        WrongCase{"Capability", R"({"cniVersion": "1.0.0", "name": "lan", "type": "x", "capabilities": {"mac": 1}})",
                  "`capabilities.mac` must be true or false"},
        WrongCase{"DisableCheck", R"({"cniVersion": "1.0.0", "name": "lan", "type": "x", "disableCheck": 1})",
                  "`disableCheck` must be"}),
    [](const testing::TestParamInfo<WrongCase>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace vcd
