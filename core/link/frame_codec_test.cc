// SPDX-License-Identifier: Apache-2.0
#include "core/link/frame_codec.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string RandomBytes(std::mt19937* random, size_t size, int distinct) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>((*random)() % distinct);
  return bytes;
}

std::vector<std::string> Drain(FrameDecoder* decoder) {
  std::vector<std::string> bodies;
  while (auto body = decoder->Next()) bodies.push_back(*std::move(body));
  return bodies;
}

TEST(Crc32cTest, AgreesWithThePublishedCheckValues) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4.
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(EncodeFrameTest, HasOneDelimiterAndItIsTheLastByte) {
  std::mt19937 random(1);
  for (size_t size = 0; size < 2000; size += 7) {
    const std::string frame = EncodeFrame(RandomBytes(&random, size, 3));
    EXPECT_EQ(std::count(frame.begin(), frame.end(), kFrameDelimiter), 1);
    EXPECT_EQ(frame.back(), kFrameDelimiter);
  }
}

TEST(FrameDecoderTest, GivesBackEveryLengthAroundTheBlockSize) {
  for (const int distinct : {1, 2, 256}) {
    std::mt19937 random(distinct);
    for (size_t size = 1; size < 1100; ++size) {
      const std::string body = RandomBytes(&random, size, distinct);
      FrameDecoder decoder;
      decoder.Feed(EncodeFrame(body));
      ASSERT_THAT(Drain(&decoder), ElementsAre(body)) << size;
      ASSERT_EQ(decoder.dropped_frames(), 0u);
    }
  }
}

TEST(FrameDecoderTest, DoesNotCareHowTheBytesArePortioned) {
  std::mt19937 random(7);
  std::string wire;
  std::vector<std::string> bodies;
  for (int i = 0; i < 200; ++i) {
    bodies.push_back(RandomBytes(&random, 1 + random() % 700, 4));
    wire += EncodeFrame(bodies.back());
  }
  FrameDecoder decoder;
  std::vector<std::string> got;
  for (size_t at = 0; at < wire.size();) {
    const size_t piece = 1 + random() % 300;
    decoder.Feed(std::string_view(wire).substr(at, piece));
    at += piece;
    for (std::string& body : Drain(&decoder)) got.push_back(std::move(body));
  }
  EXPECT_EQ(got, bodies);
}

TEST(FrameDecoderTest, ACutFrameCostsNothingBeyondTheNextDelimiter) {
  const std::string cut = EncodeFrame("cut in the middle").substr(0, 9);
  FrameDecoder decoder;
  decoder.Feed(cut + kFrameDelimiter + EncodeFrame("hello"));
  EXPECT_THAT(Drain(&decoder), ElementsAre("hello"));
  EXPECT_EQ(decoder.dropped_frames(), 1u);
}

TEST(FrameDecoderTest, AnyFlippedBitIsNoticed) {
  const std::string good = EncodeFrame("a body of some length, with a zero: " + std::string(2, '\0') + "!");
  for (size_t bit = 0; bit < (good.size() - 1) * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    FrameDecoder decoder;
    decoder.Feed(bad + EncodeFrame("next"));
    ASSERT_THAT(Drain(&decoder), ElementsAre("next")) << bit;
    ASSERT_GE(decoder.dropped_frames(), 1u);
  }
}

TEST(FrameDecoderTest, DelimitersAloneAreNoDamage) {
  FrameDecoder decoder;
  decoder.Feed(std::string(3, kFrameDelimiter));
  EXPECT_THAT(Drain(&decoder), IsEmpty());
  EXPECT_EQ(decoder.dropped_frames(), 0u);
  decoder.Feed(EncodeFrame(""));
  EXPECT_THAT(Drain(&decoder), IsEmpty());
  EXPECT_EQ(decoder.dropped_frames(), 1u);
}

TEST(FrameDecoderTest, TellsBetweenWhichBodiesFramesWereDropped) {
  FrameDecoder decoder;
  decoder.Feed("junk" + std::string(1, kFrameDelimiter) + EncodeFrame("one") + EncodeFrame("two") + "junk" +
               std::string(1, kFrameDelimiter));
  EXPECT_EQ(decoder.Next(), "one");
  EXPECT_EQ(decoder.dropped_frames(), 1u);
  EXPECT_EQ(decoder.Next(), "two");
  EXPECT_EQ(decoder.dropped_frames(), 1u);
  EXPECT_EQ(decoder.Next(), std::nullopt);
  EXPECT_EQ(decoder.dropped_frames(), 2u);
}

TEST(EncodeFrameTest, AppendsWhatItGivesAlone) {
  std::string wire;
  for (const char* body : {"one", "", "three"}) AppendFrame(body, &wire);
  EXPECT_EQ(wire, EncodeFrame("one") + EncodeFrame("") + EncodeFrame("three"));
}

TEST(FrameDecoderTest, TakesTheLongestBodyAndDropsOneByteMore) {
  for (const char fill : {'\0', 'x'}) {
    FrameDecoder decoder(1000);
    decoder.Feed(EncodeFrame(std::string(1001, fill)));
    decoder.Feed(EncodeFrame(std::string(1000, fill)));
    EXPECT_THAT(Drain(&decoder), ElementsAre(std::string(1000, fill)));
    EXPECT_EQ(decoder.dropped_frames(), 1u);
  }
}

TEST(FrameDecoderTest, AnEndlessFrameIsSkippedAndCountedOnce) {
  FrameDecoder decoder(64);
  for (int i = 0; i < 1000; ++i) decoder.Feed(std::string(1000, 'x'));
  decoder.Feed(kFrameDelimiter + EncodeFrame("still here"));
  EXPECT_THAT(Drain(&decoder), ElementsAre("still here"));
  EXPECT_EQ(decoder.dropped_frames(), 1u);
}

TEST(FrameDecoderTest, NoiseNeverBecomesABody) {
  std::mt19937 random(42);
  FrameDecoder decoder;
  decoder.Feed(RandomBytes(&random, 1 << 20, 256) + kFrameDelimiter + EncodeFrame("after the noise"));
  EXPECT_THAT(Drain(&decoder), ElementsAre("after the noise"));
  EXPECT_GT(decoder.dropped_frames(), 1000u);
}

}  // namespace
}  // namespace vcd
