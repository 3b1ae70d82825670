// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qmp_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

using ::testing::HasSubstr;

TEST(QmpCodecTest, ReadsGreetingReplyErrorAndEvent) {
  auto greeting = ParseQmpMessage(R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}})");
  ASSERT_TRUE(greeting.ok()) << greeting.status();
  EXPECT_EQ(std::get<QmpGreeting>(*greeting).version, "7.2.22");

  auto reply = ParseQmpMessage(R"({"return": {"running": true}, "id": 4})");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(std::get<QmpReply>(*reply).id, 4u);
  EXPECT_TRUE(std::get<QmpReply>(*reply).error_class.empty());
  EXPECT_EQ(std::get<QmpReply>(*reply).result["running"], true);

  auto error = ParseQmpMessage(R"({"id": 5, "error": {"class": "DeviceNotFound", "desc": "Device 'x' not found"}})");
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_EQ(std::get<QmpReply>(*error).error_class, "DeviceNotFound");
  EXPECT_EQ(std::get<QmpReply>(*error).error_text, "Device 'x' not found");

  auto event = ParseQmpMessage(R"({"timestamp": {"seconds": 1}, "event": "SHUTDOWN", "data": {"guest": true}})");
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(std::get<QmpEvent>(*event).name, "SHUTDOWN");
  EXPECT_EQ(std::get<QmpEvent>(*event).data["guest"], true);
}

TEST(QmpCodecTest, RefusesWhatIsNoMessage) {
  for (const char* line : {"", "{", "[]", "7", "null", "{}", R"({"event": 3})", "\xff\xfe", R"({"id": 1})"}) {
    EXPECT_EQ(ParseQmpMessage(line).status().code(), absl::StatusCode::kDataLoss) << line;
  }
}

TEST(QmpCodecTest, ToleratesFieldsOfOtherTypes) {
  auto greeting = ParseQmpMessage(R"({"QMP": 7})");
  ASSERT_TRUE(greeting.ok());
  EXPECT_EQ(std::get<QmpGreeting>(*greeting).version, "unknown");
  auto error = ParseQmpMessage(R"({"error": [1], "id": "five"})");
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(std::get<QmpReply>(*error).id, 0u);
  EXPECT_EQ(std::get<QmpReply>(*error).error_class, "GenericError");
}

TEST(QmpCodecTest, WritesCommands) {
  EXPECT_EQ(EncodeQmpCommand(3, "cont", nullptr), "{\"execute\":\"cont\",\"id\":3}\r\n");
  EXPECT_THAT(EncodeQmpCommand(4, "getfd", {{"fdname", "a,\"b\xff"}}), HasSubstr("a,\\\"b"));
}

TEST(QmpCodecTest, CutsLinesHoweverTheyArrive) {
  const std::string stream = "{\"a\":1}\r\n\r\n{\"b\":2}\n{\"c\"";
  for (size_t step = 1; step <= stream.size(); ++step) {
    QmpLineSplitter splitter;
    std::vector<std::string> lines;
    for (size_t at = 0; at < stream.size(); at += step) {
      const std::string piece = stream.substr(at, step);
      ASSERT_TRUE(splitter.Append(piece.data(), piece.size()).ok());
      while (auto line = splitter.Next()) lines.push_back(*line);
    }
    EXPECT_THAT(lines, testing::ElementsAre("{\"a\":1}", "{\"b\":2}")) << step;
  }
}

TEST(QmpCodecTest, GivesUpOnEndlessLines) {
  QmpLineSplitter splitter;
  const std::string piece(QmpLineSplitter::kMaxLineBytes / 2, 'x');
  EXPECT_TRUE(splitter.Append(piece.data(), piece.size()).ok());
  EXPECT_TRUE(splitter.Append(piece.data(), piece.size()).ok());
  EXPECT_EQ(splitter.Append("x", 1).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace vcd
