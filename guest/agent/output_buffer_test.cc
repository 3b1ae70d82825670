// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/output_buffer.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

TEST(OutputBufferTest, SendsInOrderAndForgetsWhatIsAcknowledged) {
  OutputBuffer buffer(10);
  buffer.Append("abcdef");
  EXPECT_EQ(buffer.Unsent(4, false), "abcd");
  buffer.MarkSent(4);
  EXPECT_EQ(buffer.Unsent(4, false), "ef");
  EXPECT_EQ(buffer.room(), 4u);
  buffer.Acknowledge(3);
  EXPECT_EQ(buffer.acked(), 3u);
  EXPECT_EQ(buffer.room(), 7u);
  EXPECT_EQ(buffer.Unsent(4, false), "ef");
  EXPECT_EQ(buffer.end(), 6u);
}

TEST(OutputBufferTest, ANewConnectionGetsAllThatIsNotAcknowledged) {
  OutputBuffer buffer(10);
  buffer.Append("abcdef");
  buffer.MarkSent(6);
  buffer.Acknowledge(2);
  buffer.Rewind();
  EXPECT_EQ(buffer.sent(), 2u);
  EXPECT_EQ(buffer.Unsent(100, false), "cdef");
}

TEST(OutputBufferTest, IgnoresAcknowledgementsThatCannotBe) {
  OutputBuffer buffer(10);
  buffer.Append("abcdef");
  buffer.MarkSent(3);
  buffer.Acknowledge(1000);
  EXPECT_EQ(buffer.acked(), 3u);
  buffer.Acknowledge(1);
  EXPECT_EQ(buffer.acked(), 3u);
  EXPECT_EQ(buffer.Unsent(100, false), "def");
}

TEST(OutputBufferTest, WhatAnEndedProcessLeftIsHeldBeyondTheCapacityAndSentAsTheLast) {
  OutputBuffer buffer(4);
  buffer.Append("abcdef");
  EXPECT_EQ(buffer.room(), 0u);
  EXPECT_EQ(buffer.end(), 6u);
  EXPECT_EQ(buffer.Unsent(100, false), "abcd");
  buffer.MarkSent(4);
  EXPECT_EQ(buffer.Unsent(100, false), "") << "no more than the capacity goes without an acknowledgement";
  EXPECT_EQ(buffer.Unsent(100, true), "ef");
  buffer.Acknowledge(3);
  EXPECT_EQ(buffer.Unsent(100, false), "ef");
  EXPECT_EQ(buffer.room(), 1u);
}

TEST(OutputBufferTest, KeepsEveryByteOverManyUnevenSteps) {
  std::mt19937 random(3);
  OutputBuffer buffer(1000);
  std::string written;
  std::string received;
  while (received.size() < 200'000) {
    std::string more(random() % (buffer.room() + 1), '\0');
    for (char& byte : more) byte = static_cast<char>(random());
    buffer.Append(more);
    written += more;
    const std::string_view sent = buffer.Unsent(1 + random() % 400, false);
    received += sent;
    buffer.MarkSent(sent.size());
    buffer.Acknowledge(buffer.acked() + random() % (buffer.sent() - buffer.acked() + 1));
  }
  EXPECT_EQ(written.substr(0, received.size()), received);
}

}  // namespace
}  // namespace vcd::guest
