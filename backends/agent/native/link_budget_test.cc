// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/link_budget.h"

#include "gtest/gtest.h"

namespace vcd {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

struct Link : LinkBudget::Holder {
  void GiveUp() override { ++given_up; }
  int given_up = 0;
};

TEST(LinkBudgetTest, WhoeverHasHeldForTheLongestTimeGivesUp) {
  LinkBudget budget(3 * kMiB);
  Link links[4];
  for (Link& link : links) {
    budget.Hold(link, kMiB / 2);
    if (&link != &links[3]) budget.Hold(link, kMiB);
  }
  // The first makes place for the last.
  EXPECT_EQ(links[0].given_up, 1);
  budget.Hold(links[3], kMiB);
  for (int i = 1; i < 4; ++i) EXPECT_EQ(links[i].given_up, 0) << i;
}

TEST(LinkBudgetTest, AMessageThatIsCompleteIsNotHeldAgainstItsLink) {
  LinkBudget budget(2 * kMiB);
  Link first;
  Link second;
  Link third;
  budget.Hold(first, kMiB);
  budget.Hold(second, kMiB);
  budget.Hold(first, 10);  // Complete, and the next has begun.
  budget.Hold(first, kMiB);
  budget.Hold(third, kMiB);
  EXPECT_EQ(second.given_up, 1) << "now the oldest";
  EXPECT_EQ(first.given_up, 0);
  EXPECT_EQ(third.given_up, 0);
}

TEST(LinkBudgetTest, SmallAmountsAreFree) {
  LinkBudget budget(1);
  Link links[100];
  for (Link& link : links) budget.Hold(link, LinkBudget::kFreeBytes);
  for (const Link& link : links) EXPECT_EQ(link.given_up, 0);
}

TEST(LinkBudgetTest, OneThatIsTooMuchAloneGivesUpItself) {
  LinkBudget budget(kMiB);
  Link link;
  budget.Hold(link, 2 * kMiB);
  EXPECT_EQ(link.given_up, 1);
  budget.Release(link);
  budget.Hold(link, kMiB);
  EXPECT_EQ(link.given_up, 1) << "nothing is left of what it held";
}

}  // namespace
}  // namespace vcd
