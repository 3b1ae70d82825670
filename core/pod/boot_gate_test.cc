// SPDX-License-Identifier: Apache-2.0
#include "core/pod/boot_gate.h"

#include <string>
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
  const Cancellation never;
  for (int i = 0; i < 4; ++i) {
    gate.Enter(std::to_string(i), never, [&, i](std::unique_ptr<BootGate::Place> place) {
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

TEST(BootGateTest, WhatGoesFirstNeedsAPlaceToo) {
  BootGate gate(1);
  std::vector<std::string> entered;
  std::unique_ptr<BootGate::Place> place;
  const Cancellation never;
  const auto enter = [&](const std::string& name) {
    return [&entered, &place, name](std::unique_ptr<BootGate::Place> given) {
      entered.push_back(name);
      place = std::move(given);
    };
  };
  gate.EnterFirst(enter("free"));
  gate.Enter("pod", never, enter("pod"));
  gate.EnterFirst(enter("first"));
  EXPECT_THAT(entered, ElementsAre("free"));
  { const auto leaving = std::move(place); }
  EXPECT_THAT(entered, ElementsAre("free", "first"));
  { const auto leaving = std::move(place); }
  EXPECT_THAT(entered, ElementsAre("free", "first", "pod"));
}

TEST(BootGateTest, WhoIsCancelledWaitsNoLonger) {
  BootGate gate(1);
  std::unique_ptr<BootGate::Place> first;
  const Cancellation never;
  gate.Enter("first", never, [&](std::unique_ptr<BootGate::Place> place) { first = std::move(place); });
  std::vector<std::string> order;
  const auto enter = [&](const std::string& pod_id, const Cancellation& cancellation) {
    gate.Enter(pod_id, cancellation, [&order, pod_id](std::unique_ptr<BootGate::Place> place) {
      order.push_back(pod_id + (place == nullptr ? " withdrawn" : " entered"));
    });
  };
  enter("web", never);
  enter("db", never);
  gate.Withdraw("web");
  gate.Withdraw("web");
  EXPECT_THAT(order, ElementsAre("web withdrawn"));

  Cancellation cancelled;
  cancelled.Cancel(absl::AbortedError("forced"));
  enter("late", cancelled);
  EXPECT_THAT(order, ElementsAre("web withdrawn", "late withdrawn"));

  first.reset();
  EXPECT_THAT(order, ElementsAre("web withdrawn", "late withdrawn", "db entered"));
}

TEST(BootGateTest, WithdrawAllEndsAllWaiting) {
  BootGate gate(0);
  const Cancellation never;
  int withdrawn = 0;
  for (const char* pod_id : {"web", "db"}) {
    gate.Enter(pod_id, never, [&](std::unique_ptr<BootGate::Place> place) { withdrawn += place == nullptr; });
  }
  gate.WithdrawAll();
  EXPECT_EQ(withdrawn, 2);
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
