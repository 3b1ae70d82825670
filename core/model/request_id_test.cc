// SPDX-License-Identifier: Apache-2.0
#include "core/model/request_id.h"

#include "core/model/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {
namespace {

TEST(RequestIdTest, TakesUuidsAndRefusesBlanksControlCharactersAndExcess) {
  EXPECT_TRUE(ValidateRequestId("").ok());
  EXPECT_TRUE(ValidateRequestId("1b4e28ba-2fa1-11d2-883f-0016d3cca427").ok());
  EXPECT_TRUE(ValidateRequestId(std::string(128, 'x')).ok());
  for (const std::string& bad :
       {std::string(129, 'x'), std::string("a b"), std::string("a\n"), std::string("\xc3\xa4"), std::string("\0", 1)}) {
    EXPECT_EQ(ValidateRequestId(bad).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(RequestIdTest, FingerprintsAreThoseOfEveryRelease) {
  // They are on disk: these numbers must never change.
  EXPECT_EQ(RequestFingerprint({}), 0xcbf29ce484222325u);
  EXPECT_EQ(RequestFingerprint({"StartPod", "web"}), 0x4e99e3ce5dfe8e69u);
}

TEST(RequestIdTest, FingerprintsTellPartsApart) {
  EXPECT_NE(RequestFingerprint({"ab", "c"}), RequestFingerprint({"a", "bc"}));
  EXPECT_NE(RequestFingerprint({"a"}), RequestFingerprint({"a", ""}));
}

TEST(RequestIdTest, EqualMessagesHaveEqualParts) {
  v1::PodConfig one, other;
  for (int i = 0; i < 50; ++i) {
    (*one.mutable_annotations())[std::to_string(i)] = "x";
    (*other.mutable_annotations())[std::to_string(49 - i)] = "x";
  }
  EXPECT_EQ(FingerprintPart(one), FingerprintPart(other));
  other.set_hostname("db");
  EXPECT_NE(FingerprintPart(one), FingerprintPart(other));
}

TEST(RequestIdTest, GivesValidIds) {
  EXPECT_TRUE(IsValidId(IdOfRequest("1b4e28ba-2fa1-11d2-883f-0016d3cca427")));
  EXPECT_EQ(IdOfRequest("a"), IdOfRequest("a"));
  EXPECT_NE(IdOfRequest("a"), IdOfRequest("b"));
}

}  // namespace
}  // namespace vcd
