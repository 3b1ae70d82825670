// SPDX-License-Identifier: Apache-2.0
#include "core/state/seal.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

constexpr char kDocument[] = "{\n \"id\": \"web\"\n}\n";

TEST(SealTest, ComesOffAsItWentOn) {
  std::string sealed = Seal(kDocument);
  EXPECT_THAT(sealed, testing::MatchesRegex("\\{\n \"id\": \"web\",\n \"checksum\": \"[0-9a-f]+\"\n\\}\n"));
  EXPECT_TRUE(Unseal(&sealed).ok());
  EXPECT_EQ(sealed, "{\n \"id\": \"web\"\n}");
}

TEST(SealTest, FindsEveryBitThatIsFlippedInTheDocument) {
  const std::string sealed = Seal(kDocument);
  const size_t seal = sealed.find(",\n \"checksum\"");
  for (size_t bit = 0; bit < seal * 8; ++bit) {
    std::string flipped = sealed;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(Unseal(&flipped).code(), absl::StatusCode::kDataLoss) << bit;
  }
}

TEST(SealTest, ADocumentWithoutOneIsAsItIs) {
  for (const std::string& document : {std::string(kDocument), std::string(), std::string("{}"), std::string("\n}"),
                                      std::string("{\n \"checksum\": \"x\"\n}")}) {
    std::string text = document;
    EXPECT_TRUE(Unseal(&text).ok());
    EXPECT_EQ(text, document);
  }
  EXPECT_EQ(Seal("{}"), "{}");
}

}  // namespace
}  // namespace vcd
