// SPDX-License-Identifier: Apache-2.0
#include "daemon/convert/safe_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/model/utf8.h"

namespace vcd {
namespace {

using ::testing::EndsWith;
using ::testing::Le;
using ::testing::StartsWith;

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
