// SPDX-License-Identifier: Apache-2.0
#include "core/log/logger.h"

#include <thread>
#include <vector>

#include "core/log/testing/captured_log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

TEST(LoggerTest, TextLinesCarryTimeLevelMessageAndPod) {
  CapturedLog log;
  PodLogger("web").With("operation", "StopPod").Warning("guest is silent", {{"reason", "no answer in 5 s"}});
  LogInfo("db", "ready");
  LogInfo("", "listening");
  const std::string time = "....-..-..T..:..:..[.]...Z";
  EXPECT_THAT(log.lines(),
              ElementsAre(MatchesRegex(time + " warning guest is silent pod_id=web operation=StopPod "
                                              "reason=\"no answer in 5 s\""),
                          MatchesRegex(time + " info ready pod_id=db"), MatchesRegex(time + " info listening")));
}

TEST(LoggerTest, NothingThatIsLoggedMakesASecondLine) {
  CapturedLog log;
  LogInfo("web", "guest says \n2026-01-01 error forged\x1b[2J \xc3\xa4");
  Logger().With("reason", "a\nb\"c=d").Info("x");
  Logger().With("empty", "").Info("x");
  EXPECT_THAT(log.lines(), ElementsAre(AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b")), HasSubstr("\\n2026"),
                                             HasSubstr("\xc3\xa4")),
                                       EndsWith("reason=\"a\\nb\\\"c=d\""), EndsWith("empty=\"\"")));
}

TEST(LoggerTest, JsonLinesAreObjectsWhateverTheyHold) {
  CapturedLog log(LogLevel::kDebug, LogFormat::kJson);
  PodLogger("web").Error("quote \" newline \n bytes \xff", {{"reason", "x"}});
  ASSERT_EQ(log.lines().size(), 1u);
  EXPECT_THAT(log.lines()[0], Not(HasSubstr("\n")));
  const nlohmann::json line = nlohmann::json::parse(log.lines()[0], nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(line.is_object()) << log.lines()[0];
  EXPECT_EQ(line["level"], "error");
  EXPECT_EQ(line["pod_id"], "web");
  EXPECT_EQ(line["reason"], "x");
  EXPECT_EQ(line["message"], "quote \" newline \n bytes \xef\xbf\xbd");
}

TEST(LoggerTest, LessThanTheLevelIsDropped) {
  CapturedLog log(LogLevel::kWarning);
  LogDebug("web", "a");
  LogInfo("web", "b");
  LogWarning("web", "c");
  LogError("web", "d");
  EXPECT_EQ(log.lines().size(), 2u);
}

TEST(LoggerTest, TakesLinesFromManyThreads) {
  CapturedLog log;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) LogInfo("web", "line");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(log.lines().size(), 400u);
}

TEST(LoggerTest, KnowsTheWordsOfTheConfiguration) {
  EXPECT_EQ(*ParseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_EQ(*ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_THAT(std::string(ParseLogLevel("loud").status().message()), HasSubstr("known are debug"));
  EXPECT_EQ(ParseLogFormat("").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vcd
