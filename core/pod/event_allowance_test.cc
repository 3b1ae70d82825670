// SPDX-License-Identifier: Apache-2.0
#include "core/pod/event_allowance.h"

#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(EventAllowanceTest, AllowsABurstAndThenOneEachTime) {
  const absl::Time start = absl::UnixEpoch();
  EventAllowance allowance(2, absl::Seconds(10));
  EXPECT_TRUE(allowance.Take(start));
  EXPECT_TRUE(allowance.Take(start));
  EXPECT_FALSE(allowance.Take(start + absl::Seconds(9)));
  EXPECT_TRUE(allowance.Take(start + absl::Seconds(10)));
  EXPECT_FALSE(allowance.Take(start + absl::Seconds(11)));
  EXPECT_TRUE(allowance.Take(start + absl::Hours(1))) << "but not more than a burst";
  EXPECT_TRUE(allowance.Take(start + absl::Hours(1)));
  EXPECT_FALSE(allowance.Take(start + absl::Hours(1)));
}

}  // namespace
}  // namespace vcd
