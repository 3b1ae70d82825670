// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/format/json.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "client/format/yaml.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

TEST(TableTest, AlignsColumnsByCharacters) {
  Table table({"POD", "STATE", "REASON"});
  table.AddRow({"größe", "running", ""});
  table.AddRow({"a", "failed", "lost\nit\x1b[2J"});
  EXPECT_EQ(table.Render(),
            "POD    STATE    REASON\n"
            "größe  running\n"
            "a      failed   lost it?[2J\n");
}

TEST(BriefTest, IsOneLineOfCharactersAndTellsWhatIsLeftOut) {
  EXPECT_EQ(Brief(""), "");
  EXPECT_EQ(Brief("short"), "short");
  EXPECT_EQ(Brief("one\ntwo"), "one…");
  EXPECT_EQ(Brief(std::string(80, 'x')), std::string(80, 'x'));
  EXPECT_EQ(Brief(std::string(81, 'x')), std::string(79, 'x') + "…");
  std::string umlauts;
  for (int i = 0; i < 80; ++i) umlauts += "ä";
  EXPECT_EQ(Brief(umlauts), umlauts);
  EXPECT_EQ(Brief(umlauts + "b"), umlauts.substr(0, 2 * 79) + "…");
}

TEST(PrintableTest, TakesTheTerminalsCommandsAway) {
  EXPECT_EQ(Printable("a\x1b[31mb\x7f\n\tc"), "a?[31mb?  c");
  EXPECT_EQ(Printable("a\nb", true), "a\nb");
  EXPECT_EQ(Printable("x\xc2\x9by \xc2\xa0 \xc3\xa4"), "x?y \xc2\xa0 \xc3\xa4");
}

TEST(WordTest, IsTheLowerCaseName) {
  EXPECT_EQ(Word(v1::POD_STATE_RUNNING), "running");
  EXPECT_EQ(Word(v1::CONTAINER_STATE_STOPPED), "stopped");
  EXPECT_EQ(Word(v1::EVENT_TYPE_POD_CREATED), "pod_created");
  EXPECT_EQ(Word(static_cast<v1::PodState>(99)), "99");
}

TEST(AgeTest, TakesTheLargestFittingUnit) {
  EXPECT_EQ(Age(absl::Seconds(-3)), "0s");
  EXPECT_EQ(Bytes(0), "0B");
  EXPECT_EQ(Bytes(1023), "1023B");
  EXPECT_EQ(Bytes(1536), "1.5KiB");
  EXPECT_EQ(Bytes((uint64_t{1} << 20) - 1), "1.0MiB") << "not 1024.0KiB";
  EXPECT_EQ(Bytes(~uint64_t{0}), "16.0EiB");
  EXPECT_EQ(Age(absl::Seconds(119)), "119s");
  EXPECT_EQ(Age(absl::Seconds(300)), "5m");
  EXPECT_EQ(Age(absl::Hours(5)), "5h");
  EXPECT_EQ(Age(absl::Hours(24 * 12)), "12d");
}

v1::Pod ExamplePod() {
  v1::Pod pod;
  pod.set_id("007");
  pod.set_state(v1::POD_STATE_RUNNING);
  pod.set_reason("yes: \"quoted\"\nnext");
  pod.mutable_created_at()->set_seconds(1700000000);
  pod.mutable_config()->set_hostname("web");
  (*pod.mutable_config()->mutable_annotations())["a.b/c"] = "true";
  pod.mutable_config()->add_containers()->mutable_cmd()->add_args("");
  return pod;
}

TEST(JsonTest, KeepsProtoFieldNamesAndEnumNames) {
  const std::string json = ToJson(ExamplePod());
  EXPECT_THAT(json, HasSubstr("\"state\": \"POD_STATE_RUNNING\""));
  EXPECT_THAT(json, HasSubstr("\"created_at\": \"2023-11-14T22:13:20Z\""));
  EXPECT_EQ(ToJsonLine(v1::Pod()), "{}\n");
}

TEST(YamlTest, IsTheSameDataAndQuotesWhatWouldChange) {
  const std::string yaml = JsonToYaml(ToJson(ExamplePod()));
  EXPECT_THAT(yaml, HasSubstr("id: \"007\"\n"));
  EXPECT_THAT(yaml, HasSubstr("state: POD_STATE_RUNNING\n"));
  EXPECT_THAT(yaml, HasSubstr("a.b/c: \"true\""));
  EXPECT_THAT(yaml, HasSubstr("hostname: web\n"));
  const auto json = YamlToJson(yaml);
  ASSERT_TRUE(json.ok()) << json.status();
  v1::Pod back;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(*json, &back).ok()) << *json;
  EXPECT_EQ(back.SerializeAsString(), ExamplePod().SerializeAsString());
}

TEST(YamlTest, ReadsEveryScalarAsTheFieldsType) {
  const auto json =
      YamlToJson("id: 12\nresources: {memory_mib: 256, vcpus: '2'}\nhypervisor_config: {debug: true}\nhooks: ~\n");
  ASSERT_TRUE(json.ok());
  v1::PodConfig config;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(*json, &config).ok()) << *json;
  EXPECT_EQ(config.id(), "12");
  EXPECT_EQ(config.resources().memory_mib(), 256u);
  EXPECT_EQ(config.resources().vcpus(), 2u);
  EXPECT_TRUE(config.hypervisor_config().debug());
  EXPECT_FALSE(config.has_hooks());
}

TEST(YamlTest, SaysWhereItIsBroken) {
  EXPECT_THAT(std::string(YamlToJson("id: a\n  b: [").status().message()), HasSubstr("line 2, column "));
  EXPECT_THAT(std::string(YamlToJson("a: 1\n---\nb: 2\n").status().message()), HasSubstr("2 YAML documents"));
  EXPECT_FALSE(YamlToJson("? [a]\n: b\n").ok());
}

TEST(YamlTest, EndsDocumentsThatGrowWithoutLimit) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int j = 1; j < 8; ++j) bomb += ", " + last;
    bomb += "]\n";
  }
  EXPECT_FALSE(YamlToJson(bomb).ok());
}

}  // namespace
}  // namespace vcd::client
