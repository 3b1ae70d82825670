// SPDX-License-Identifier: Apache-2.0
#include "client/process/detach_keys.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

DetachKeys Keys(const std::string& text) {
  auto keys = DetachKeys::Parse(text);
  EXPECT_TRUE(keys.ok()) << keys.status();
  return *keys;
}

TEST(DetachKeysTest, ArePressedAlsoInPieces) {
  DetachKeys keys = Keys(DetachKeys::kDefault);
  EXPECT_EQ(keys.Filter("ls\r"), "ls\r");
  EXPECT_EQ(keys.Filter("a\x10"), "a") << "held back";
  EXPECT_FALSE(keys.pressed());
  EXPECT_EQ(keys.Filter("\x11 and more"), "");
  EXPECT_TRUE(keys.pressed());
}

TEST(DetachKeysTest, WhatTurnsOutToBeOtherKeysGoesOn) {
  DetachKeys keys = Keys("ctrl-p,ctrl-q");
  EXPECT_EQ(keys.Filter("\x10"), "");
  EXPECT_EQ(keys.Filter("x"), "\x10x");
  EXPECT_EQ(keys.Filter("\x10\x10"), "\x10") << "the second may be the first of the keys";
  EXPECT_EQ(keys.Filter("\x11"), "");
  EXPECT_TRUE(keys.pressed());
}

TEST(DetachKeysTest, OverlapWithThemselves) {
  DetachKeys keys = Keys("a,a,b");
  EXPECT_EQ(keys.Filter("aaa"), "a");
  EXPECT_EQ(keys.Filter("b"), "");
  EXPECT_TRUE(keys.pressed());
}

TEST(DetachKeysTest, TakesEveryControlCharacter) {
  DetachKeys keys = Keys("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_");
  EXPECT_EQ(keys.Filter(std::string("\0\x1b\x1c\x1d\x1e\x1f", 6)), "");
  EXPECT_TRUE(keys.pressed());
  DetachKeys upper = Keys("ctrl-A");
  EXPECT_EQ(upper.Filter("\x01"), "");
  EXPECT_TRUE(upper.pressed());
}

TEST(DetachKeysTest, NoneAreNeverPressed) {
  DetachKeys keys = Keys("");
  EXPECT_EQ(keys.Filter("\x10\x11"), "\x10\x11");
  EXPECT_FALSE(keys.pressed());
}

TEST(DetachKeysTest, RefusesWhatIsNoKey) {
  for (const char* text : {"ctrl-", "ctrl-1", "ctrl-ab", "ctrl-p,", ",", "ab", "ctrl+p", "\xc3\xa4",
                           "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"}) {
    const auto keys = DetachKeys::Parse(text);
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_THAT(std::string(keys.status().message()), HasSubstr("--detach-keys"));
  }
}

}  // namespace
}  // namespace vcd::client
