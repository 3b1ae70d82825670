// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/process_streams.h"

#include <limits>

#include "core/link/link_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

TEST(OutputStreamTest, SkipsWhatCameBefore) {
  OutputStream stream(100);
  EXPECT_EQ(*stream.Receive(100, 10), 0u);
  EXPECT_EQ(*stream.Receive(100, 10), 10u);
  EXPECT_EQ(*stream.Receive(105, 10), 5u);
  EXPECT_EQ(stream.received(), 115u);
  EXPECT_EQ(*stream.Receive(0, 3), 3u);
}

TEST(OutputStreamTest, RefusesGapsAndNumbersThatOverflow) {
  OutputStream stream;
  EXPECT_FALSE(stream.Receive(1, 1).ok());
  EXPECT_FALSE(stream.Receive(kHuge, 1).ok());
  EXPECT_FALSE(stream.Receive(kHuge - 1, 16).ok());
  EXPECT_EQ(stream.received(), 0u);
}

TEST(OutputStreamTest, RefusesMoreThanTheWindow) {
  OutputStream stream;
  ASSERT_TRUE(stream.Receive(0, kOutputWindow).ok());
  EXPECT_FALSE(stream.Receive(kOutputWindow, 1).ok());
  EXPECT_TRUE(stream.Acknowledge(1));
  EXPECT_TRUE(stream.Receive(kOutputWindow, 1).ok());
}

TEST(OutputStreamTest, AcknowledgesAtMostWhatCame) {
  OutputStream stream;
  EXPECT_FALSE(stream.Acknowledge(5));
  ASSERT_TRUE(stream.Receive(0, 3).ok());
  EXPECT_TRUE(stream.Acknowledge(kHuge));
  EXPECT_EQ(stream.acked(), 3u);
  EXPECT_FALSE(stream.Acknowledge(3));
}

TEST(OutputStreamTest, IsCompleteAtItsEndAndTakesNoMore) {
  OutputStream stream;
  EXPECT_FALSE(stream.complete());
  ASSERT_TRUE(stream.SetEnd(4).ok());
  EXPECT_FALSE(stream.complete());
  ASSERT_TRUE(stream.Receive(0, 4).ok());
  EXPECT_TRUE(stream.complete());
  EXPECT_FALSE(stream.Receive(4, 1).ok());
}

TEST(OutputStreamTest, CannotEndBeforeWhatCame) {
  OutputStream stream;
  ASSERT_TRUE(stream.Receive(0, 4).ok());
  EXPECT_FALSE(stream.SetEnd(3).ok());
}

InputStream::Done Nothing() {
  return [](const absl::Status&) {};
}

TEST(InputStreamTest, SplitsIntoChunksUpToTheWindow) {
  InputStream stream(7, 7, true);
  ASSERT_TRUE(stream.Add(std::string(kInputWindow + 1, 'x'), true, Nothing()));
  uint64_t next = 7;
  while (auto chunk = stream.Next()) {
    EXPECT_EQ(chunk->offset, next);
    EXPECT_LE(chunk->data.size(), kOutputChunk);
    EXPECT_FALSE(chunk->close);
    next += chunk->data.size();
  }
  EXPECT_EQ(next, 7 + kInputWindow);
  EXPECT_TRUE(stream.TakeFinished().empty());
  ASSERT_TRUE(stream.Acknowledge(8).ok());
  const auto last = stream.Next();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->data, "x");
  EXPECT_TRUE(last->close);
  EXPECT_EQ(stream.TakeFinished().size(), 1u);
}

TEST(InputStreamTest, KeepsToAWindowOfItsOwn) {
  InputStream stream(0, 0, true, kDialWindow);
  ASSERT_TRUE(stream.Add(std::string(kInputWindow, 'x'), false, Nothing()));
  uint64_t sent = 0;
  while (auto chunk = stream.Next()) sent += chunk->data.size();
  EXPECT_EQ(sent, kDialWindow);
  ASSERT_TRUE(stream.Acknowledge(1000).ok());
  EXPECT_EQ(stream.Next()->data.size(), 1000u);
}

TEST(InputStreamTest, AWriteIsDoneWhenThereIsRoomForMore) {
  InputStream stream(0, 0, true);
  ASSERT_TRUE(stream.Add(std::string(kInputWindow, 'x'), false, Nothing()));
  while (stream.Next().has_value()) {
  }
  EXPECT_TRUE(stream.TakeFinished().empty()) << "the window is full";
  ASSERT_TRUE(stream.Acknowledge(1).ok());
  EXPECT_EQ(stream.TakeFinished().size(), 1u);
}

TEST(InputStreamTest, NothingComesAfterClose) {
  InputStream stream(0, 0, true);
  ASSERT_TRUE(stream.Add("a", false, Nothing()));
  ASSERT_TRUE(stream.Add("", true, Nothing()));
  EXPECT_FALSE(stream.Add("b", false, Nothing()));
  EXPECT_EQ(stream.Next()->data, "a");
  EXPECT_TRUE(stream.Next()->close);
  EXPECT_FALSE(stream.Next().has_value());
  EXPECT_EQ(stream.TakeFinished().size(), 2u);
}

TEST(InputStreamTest, AnEmptyWriteIsDoneWithoutAWord) {
  InputStream stream(0, 0, true);
  ASSERT_TRUE(stream.Add("", false, Nothing()));
  EXPECT_FALSE(stream.Next().has_value());
  EXPECT_EQ(stream.TakeFinished().size(), 1u);
}

TEST(InputStreamTest, AbandonGivesBackWhatIsNotDone) {
  InputStream stream(0, 0, true);
  ASSERT_TRUE(stream.Add("a", false, Nothing()));
  ASSERT_TRUE(stream.Add("b", false, Nothing()));
  EXPECT_EQ(stream.Abandon().size(), 2u);
  EXPECT_FALSE(stream.Add("c", false, Nothing()));
}

TEST(InputStreamTest, GoesOnAfterWhatTheGuestHasFromBefore) {
  InputStream stream(10, 10 + kInputWindow, true);
  ASSERT_TRUE(stream.Add("x", false, Nothing()));
  EXPECT_FALSE(stream.Next().has_value()) << "the window is full";
  ASSERT_TRUE(stream.Acknowledge(11).ok());
  EXPECT_EQ(stream.Next()->offset, 10 + kInputWindow);
}

TEST(InputStreamTest, RefusesAnAcknowledgementOfWhatWasNotSent) {
  InputStream stream(10, 10, true);
  EXPECT_FALSE(stream.Acknowledge(11).ok());
  EXPECT_TRUE(stream.Acknowledge(3).ok()) << "late, but harmless";
}

}  // namespace
}  // namespace vcd
