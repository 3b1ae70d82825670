// SPDX-License-Identifier: Apache-2.0
#include "backends/mock/mock_fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

using ::testing::HasSubstr;

TEST(MockFaultTest, ReadsEveryPart) {
  const auto fault = ParseMockFault(" stuck=50ms , delay=1m30s,after=2, times=3,error=UNAVAILABLE: gone, for now");
  ASSERT_TRUE(fault.ok()) << fault.status();
  EXPECT_EQ(fault->stuck, absl::Milliseconds(50));
  EXPECT_EQ(fault->delay, absl::Seconds(90));
  EXPECT_EQ(fault->after, 2u);
  EXPECT_EQ(fault->times, 3u);
  EXPECT_EQ(fault->error, absl::UnavailableError("gone, for now"));
  EXPECT_FALSE(fault->hang);
  EXPECT_TRUE(ParseMockFault("hang")->hang);
  EXPECT_TRUE(ParseMockFault("delay=1s,die")->die);
  EXPECT_EQ(ParseMockFault("error=INTERNAL")->error.code(), absl::StatusCode::kInternal);
  const auto none = ParseMockFault("none");
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(!none->hang && !none->die && none->error.ok() && none->delay == absl::ZeroDuration());
}

TEST(MockFaultTest, KnowsEveryCode) {
  for (int code = 1; code <= 16; ++code) {
    const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
    const auto fault = ParseMockFault("error=" + name);
    ASSERT_TRUE(fault.ok()) << fault.status();
    EXPECT_EQ(fault->error.raw_code(), code);
  }
}

struct BadFault {
  const char* name;
  const char* text;
  const char* problem;
};

class BadMockFaultTest : public testing::TestWithParam<BadFault> {};

TEST_P(BadMockFaultTest, IsRefusedWithWordsThatHelp) {
  const auto fault = ParseMockFault(GetParam().text);
  ASSERT_EQ(fault.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(fault.status().message()), HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadMockFaultTest,
    testing::Values(BadFault{"Empty", "", "known are delay=DURATION"}, BadFault{"Unknown", "explode", "\"explode\" is"},
                    BadFault{"EmptyPart", "hang,", "\"\" is unknown"}, BadFault{"NoValue", "delay", "delay=…"},
                    BadFault{"ValueTooMany", "hang=1s", "takes no value"},
                    BadFault{"NoUnit", "delay=2", "no duration such as"},
                    BadFault{"Negative", "delay=-2s", "no duration"}, BadFault{"TooLong", "delay=25h", "more than 24h"},
                    BadFault{"TooStuck", "stuck=11m", "more than 10m"},
                    BadFault{"Ok", "error=OK", "\"OK\" is no canonical code"},
                    BadFault{"LowerCase", "error=unavailable", "no canonical code"},
                    BadFault{"Infinite", "delay=inf", "more than 24h"}, BadFault{"Twice", "hang,hang", "there twice"},
                    BadFault{"OnlyACount", "times=1", "how often, and not what"},
                    BadFault{"NoNumber", "hang,times=x", "no number for `times`"},
                    BadFault{"ErrorNotLast", "error=INTERNAL:x, times=1", "put `error` last"},
                    BadFault{"HangAndError", "hang,error=INTERNAL", "after `hang` comes nothing"},
                    BadFault{"DieAndError", "die,error=INTERNAL", "exclude each other"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace vcd
