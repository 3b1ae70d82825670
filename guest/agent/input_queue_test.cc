// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/input_queue.h"

#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

TEST(InputQueueTest, CountsWhatTheProcessTook) {
  InputQueue queue(100);
  queue.Add(0, "hello ", false);
  queue.Add(6, "world", true);
  EXPECT_EQ(queue.Waiting(), "hello world");
  queue.Take(8);
  EXPECT_EQ(queue.taken(), 8u);
  EXPECT_FALSE(queue.finished());
  queue.Take(3);
  EXPECT_TRUE(queue.finished());
}

TEST(InputQueueTest, SkipsWhatCameBefore) {
  InputQueue queue(100);
  queue.Add(0, "abcdef", false);
  queue.Take(2);
  queue.Add(2, "cdefgh", false);  // As a host does that was told "2" after a reconnect.
  EXPECT_EQ(queue.Waiting(), "cdefgh");
  queue.Add(0, "ab", false);
  EXPECT_EQ(queue.Waiting(), "cdefgh");
}

TEST(InputQueueTest, AnEndThatIsSentAgainStillEndsIt) {
  InputQueue queue(100);
  queue.Add(0, "abc", false);
  queue.Add(1, "bc", true);
  queue.Take(3);
  EXPECT_TRUE(queue.finished());
}

TEST(InputQueueTest, DropsWhatLeavesAGapOrDoesNotFit) {
  InputQueue queue(4);
  queue.Add(5, "x", true);
  EXPECT_EQ(queue.Waiting(), "");
  queue.Add(0, "abcdef", true);
  EXPECT_EQ(queue.Waiting(), "abcd");
  queue.Take(4);
  EXPECT_FALSE(queue.finished()) << "the end lies behind bytes that were not taken";
  queue.Add(4, "ef", true);
  queue.Take(2);
  EXPECT_TRUE(queue.finished());
}

TEST(InputQueueTest, CountsEverythingAsTakenWhenTheProcessReadsNoMore) {
  InputQueue queue(4);
  queue.Add(0, "abcd", false);
  queue.Discard();
  EXPECT_EQ(queue.taken(), 4u);
  queue.Add(4, "much more than fits", true);
  EXPECT_EQ(queue.taken(), 23u);
  EXPECT_TRUE(queue.finished());
}

}  // namespace
}  // namespace vcd::guest
