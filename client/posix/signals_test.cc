// SPDX-License-Identifier: Apache-2.0
#include "client/posix/signals.h"

#include <signal.h>

#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

TEST(ParseSignalTest, TakesNamesAndNumbers) {
  for (const char* text : {"TERM", "SIGTERM", "term", "sigterm", "15"}) {
    auto signal = ParseSignal(text);
    ASSERT_TRUE(signal.ok()) << text;
    EXPECT_EQ(*signal, SIGTERM) << text;
  }
}

TEST(ParseSignalTest, NamesWhatIsNoSignal) {
  for (const char* text : {"", "0", "65", "-1", "NOPE", "SIG"}) {
    auto signal = ParseSignal(text);
    EXPECT_EQ(signal.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(signal.status().message()), testing::HasSubstr(std::string("\"") + text + "\""));
  }
}

TEST(SignalNameTest, IsTheUsualOne) {
  EXPECT_EQ(SignalName(SIGINT), "SIGINT");
  EXPECT_EQ(SignalName(64), "signal 64");
}

TEST(WatchProcessSignalsTest, TakesWhatWasSentToTheProcess) {
  auto signals = WatchProcessSignals();
  ASSERT_TRUE(signals.ok()) << signals.status();
  EXPECT_EQ((*signals)->Take(), 0);
  ASSERT_EQ(::raise(SIGTERM), 0);
  EXPECT_EQ((*signals)->Take(), SIGTERM);
  EXPECT_EQ((*signals)->Take(), 0);
}

}  // namespace
}  // namespace vcd::client
