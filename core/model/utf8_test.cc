// SPDX-License-Identifier: Apache-2.0
#include "core/model/utf8.h"

#include <gtest/gtest.h>

namespace vcd {
namespace {

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

}  // namespace
}  // namespace vcd
