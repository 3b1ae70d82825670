// SPDX-License-Identifier: Apache-2.0
#include "core/device/disk_claims.h"

#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const HostDisk kDisk{"/dev/sdb", true, 16, 0};
const HostDisk kOther{"/dev/sdc", true, 32, 0};

TEST(DiskClaimsTest, ReadersShareAndAWriterIsAlone) {
  DiskClaims claims;
  auto reader = claims.Take(kDisk, false, "container a");
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(claims.Take(kDisk, false, "container b").ok());
  EXPECT_TRUE(claims.Take(kOther, true, "container c").ok());
  EXPECT_EQ(claims.Take(kDisk, true, "container d").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(DiskClaimsTest, NamesWhoHasIt) {
  DiskClaims claims;
  auto writer = claims.Take(kDisk, true, "container a of pod p");
  ASSERT_TRUE(writer.ok());
  EXPECT_THAT(std::string(claims.Take(kDisk, false, "container b").status().message()),
              AllOf(HasSubstr("/dev/sdb"), HasSubstr("container a of pod p has it and writes")));
}

TEST(DiskClaimsTest, IsFreeWhenTheClaimGoes) {
  DiskClaims claims;
  std::optional<DiskClaims::Claim> writer = *claims.Take(kDisk, true, "a");
  DiskClaims::Claim moved = *std::move(writer);
  writer.reset();
  EXPECT_FALSE(claims.Take(kDisk, true, "b").ok());
  moved = *claims.Take(kOther, true, "a");
  EXPECT_TRUE(claims.Take(kDisk, true, "b").ok());
}

TEST(DiskClaimsTest, ClaimsMayOutliveTheTable) {
  std::optional<DiskClaims> claims(std::in_place);
  DiskClaims::Claim claim = *claims->Take(kDisk, true, "a");
  claims.reset();
}

}  // namespace
}  // namespace vcd
