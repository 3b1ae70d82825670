// SPDX-License-Identifier: Apache-2.0
#include "daemon/convert/safe_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

using ::testing::EndsWith;
using ::testing::Le;
using ::testing::StartsWith;

struct Utf8Case {
  const char* name;
  std::string in;
  std::string out;
};

class ToUtf8Test : public testing::TestWithParam<Utf8Case> {};

TEST_P(ToUtf8Test, LeavesValidTextAndReplacesTheRest) { EXPECT_EQ(ToUtf8(GetParam().in), GetParam().out); }

constexpr char kBad[] = "\xEF\xBF\xBD";

INSTANTIATE_TEST_SUITE_P(All, ToUtf8Test,
                         testing::Values(Utf8Case{"Empty", "", ""}, Utf8Case{"Ascii", "a\tb\n", "a\tb\n"},
                                         Utf8Case{"TwoThreeFour", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
                                                  "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
                                         Utf8Case{"LoneByte",
                                                  "a\xFF"
                                                  "b",
                                                  std::string("a") + kBad + "b"},
                                         Utf8Case{"Nul", std::string("a\0b", 3), std::string("a") + kBad + "b"},
                                         Utf8Case{"CutAtTheEnd", "a\xE2\x82", std::string("a") + kBad + kBad},
                                         Utf8Case{"Overlong", "\xC0\x80", std::string(kBad) + kBad},
                                         Utf8Case{"Surrogate", "\xED\xA0\x80", std::string(kBad) + kBad + kBad},
                                         Utf8Case{"PastTheEnd", "\xF4\x90\x80\x80",
                                                  std::string(kBad) + kBad + kBad + kBad}),
                         [](const auto& test) { return test.param.name; });

TEST(CutMiddleTest, LeavesWhatFits) { EXPECT_EQ(CutMiddle("pod a: boot: no", 15), "pod a: boot: no"); }

TEST(CutMiddleTest, KeepsBothEnds) {
  const std::string cut = CutMiddle("pod a: " + std::string(5000, 'x') + " try again", 200);
  EXPECT_THAT(cut, StartsWith("pod a: "));
  EXPECT_THAT(cut, EndsWith(" try again"));
  EXPECT_THAT(PercentEncodedSize(cut), Le(200u));
}

TEST(CutMiddleTest, NeverCutsThroughACharacter) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "\xE2\x82\xAC";
  for (size_t limit = 20; limit < 60; ++limit) {
    const std::string cut = CutMiddle(text, limit);
    EXPECT_EQ(ToUtf8(cut), cut) << limit;
    EXPECT_THAT(PercentEncodedSize(cut), Le(limit));
  }
}

}  // namespace
}  // namespace vcd
