// SPDX-License-Identifier: Apache-2.0
#include "core/pod/boot_gate.h"

#include <utility>
#include <vector>

#include "core/pod/undo_stack.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;

TEST(BootGateTest, NoMoreThanItsPlacesAndInOrder) {
  BootGate gate(2);
  std::vector<int> entered;
  std::vector<std::unique_ptr<BootGate::Place>> places;
  for (int i = 0; i < 4; ++i) {
    gate.Enter([&, i](std::unique_ptr<BootGate::Place> place) {
      entered.push_back(i);
      places.push_back(std::move(place));
    });
  }
  EXPECT_THAT(entered, ElementsAre(0, 1));
  EXPECT_EQ(gate.waiting(), 2u);
  EXPECT_EQ(gate.taken(), 2u);
  {
    auto leaving = std::move(places.front());
    places.erase(places.begin());
  }
  EXPECT_THAT(entered, ElementsAre(0, 1, 2));
  {
    auto leaving = std::move(places.front());
    places.erase(places.begin());
  }
  EXPECT_THAT(entered, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(gate.waiting(), 0u);
  places.clear();
  EXPECT_EQ(gate.taken(), 0u);
}

TEST(UndoStackTest, RunsLastFirstUnlessCommitted) {
  std::vector<int> undone;
  {
    UndoStack undo;
    undo.Push([&] { undone.push_back(1); });
    undo.Push([&] { undone.push_back(2); });
  }
  EXPECT_THAT(undone, ElementsAre(2, 1));
  {
    UndoStack undo;
    undo.Push([&] { undone.push_back(3); });
    undo.Commit();
  }
  EXPECT_THAT(undone, ElementsAre(2, 1));
}

}  // namespace
}  // namespace vcd
