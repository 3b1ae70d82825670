// SPDX-License-Identifier: Apache-2.0
#include "core/pod/boot_gate.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/pod/undo_stack.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kMib = uint64_t{1} << 20;

// A gate on a host and a clock of the test's, and who got in, in order: "web", or "web: why not".
class BootGateTest : public testing::Test {
 protected:
  void Limit(uint32_t places, uint64_t reserve_mib = 0) {
    gate_ = std::make_unique<BootGate>(BootLimits{places,
                                                  [this] {
                                                    return HostMemory{total_mib_ * kMib, available_mib_ * kMib};
                                                  },
                                                  reserve_mib * kMib, [this] { return now_; }});
  }
  ~BootGateTest() override {
    for (auto& [name, place] : std::exchange(places_, {})) place.reset();
  }

  void Enter(const std::string& pod_id, const BootNeed& need = {}) { Enter(pod_id, need, never_); }
  void Enter(const std::string& pod_id, const BootNeed& need, const Cancellation& cancellation) {
    gate_->Enter(pod_id, need, cancellation, Note(pod_id));
  }
  void EnterFirst(const std::string& name, const BootNeed& need = {}) { gate_->EnterFirst(need, Note(name)); }
  void EnterIdle(const std::string& name, const BootNeed& need = {}) { gate_->EnterIdle(need, Note(name)); }
  void Leave(const std::string& name) {
    const std::unique_ptr<BootGate::Place> place = std::move(places_.at(name));
    places_.erase(name);
  }
  BootNeed Needs(uint64_t memory_mib) const { return {memory_mib * kMib, false, absl::InfiniteFuture()}; }
  BootNeed Within(absl::Duration time, bool clone = false) const { return {0, clone, now_ + time}; }
  // A start that takes so long.
  void Take(absl::Duration time, bool clone = false) {
    Enter("past", {0, clone, absl::InfiniteFuture()});
    now_ += time;
    Leave("past");
    entered_.clear();
  }

  uint64_t total_mib_ = 1000;
  uint64_t available_mib_ = 1000;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  const Cancellation never_{};
  std::unique_ptr<BootGate> gate_;
  std::map<std::string, std::unique_ptr<BootGate::Place>> places_;
  std::vector<std::string> entered_;
  absl::Status refusal_;

 private:
  BootGate::Entered Note(const std::string& name) {
    return [this, name](absl::StatusOr<std::unique_ptr<BootGate::Place>> place) {
      if (place.ok()) {
        entered_.push_back(name);
        places_[name] = *std::move(place);
      } else {
        entered_.push_back(absl::StrCat(name, ": ", absl::StatusCodeToString(place.status().code())));
        refusal_ = place.status();
      }
    };
  }
};

TEST_F(BootGateTest, NoMoreThanItsPlacesAndInOrder) {
  Limit(2);
  for (const char* pod_id : {"a", "b", "c", "d"}) Enter(pod_id);
  EXPECT_THAT(entered_, ElementsAre("a", "b"));
  EXPECT_EQ(gate_->load().waiting, 2u);
  EXPECT_EQ(gate_->load().taken, 2u);
  Leave("a");
  EXPECT_THAT(entered_, ElementsAre("a", "b", "c"));
  Leave("b");
  EXPECT_THAT(entered_, ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(gate_->load().waiting, 0u);
  Leave("c");
  Leave("d");
  EXPECT_EQ(gate_->load().taken, 0u);
}

TEST_F(BootGateTest, ForeseesWhatItWouldRefuse) {
  Limit(1, 100);
  available_mib_ = 500;
  EXPECT_EQ(gate_->Foresee(Needs(400)), absl::OkStatus());
  EXPECT_THAT(std::string(gate_->Foresee(Needs(401)).message()), HasSubstr("does not fit"));
  EXPECT_THAT(std::string(gate_->Foresee(Needs(901)).message()), HasSubstr("never fits"));
  EXPECT_EQ(gate_->load().refused_for_memory, 2u);
  for (int i = 0; i < 3; ++i) Take(absl::Seconds(10));
  Enter("boots", Needs(300));
  EXPECT_EQ(gate_->Foresee(Needs(401)), absl::OkStatus()) << "who knows what it gives back";
  EXPECT_EQ(gate_->Foresee(Within(absl::Seconds(20))), absl::OkStatus());
  EXPECT_EQ(gate_->Foresee(Within(absl::Seconds(19))).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(gate_->load().refused_for_deadline, 1u);
  EXPECT_THAT(entered_, ElementsAre("boots")) << "nobody came";
}

TEST_F(BootGateTest, WhatGoesFirstNeedsAPlaceToo) {
  Limit(1);
  EnterFirst("free");
  Enter("pod");
  EnterFirst("first");
  EXPECT_THAT(entered_, ElementsAre("free"));
  Leave("free");
  EXPECT_THAT(entered_, ElementsAre("free", "first"));
  Leave("first");
  EXPECT_THAT(entered_, ElementsAre("free", "first", "pod"));
}

TEST_F(BootGateTest, WhoIsCancelledWaitsNoLonger) {
  Limit(1);
  Enter("first");
  entered_.clear();
  Cancellation cancelled;
  Enter("web", {}, cancelled);
  Enter("db");
  cancelled.Cancel(absl::AbortedError("forced"));
  gate_->Withdraw("web");
  gate_->Withdraw("web");
  EXPECT_THAT(entered_, ElementsAre("web: ABORTED"));
  EXPECT_EQ(refusal_.message(), "forced");

  Enter("late", {}, cancelled);
  EXPECT_THAT(entered_, ElementsAre("web: ABORTED", "late: ABORTED"));

  Leave("first");
  EXPECT_THAT(entered_, ElementsAre("web: ABORTED", "late: ABORTED", "db"));
}

TEST_F(BootGateTest, ALateWithdrawalLeavesTheNextStartOfThePodAlone) {
  Limit(1);
  Enter("first");
  Enter("web");
  // Of a start that has ended meanwhile.
  gate_->Withdraw("web");
  EXPECT_THAT(entered_, ElementsAre("first"));
  Leave("first");
  EXPECT_THAT(entered_, ElementsAre("first", "web"));
}

TEST_F(BootGateTest, WithdrawAllEndsAllWaiting) {
  Limit(1);
  for (const char* pod_id : {"first", "web", "db"}) Enter(pod_id);
  gate_->WithdrawAll();
  EXPECT_THAT(entered_, ElementsAre("first", "web: CANCELLED", "db: CANCELLED"));
}

TEST_F(BootGateTest, WhatStartsAtOnceFitsTheHostTogether) {
  Limit(8, /*reserve_mib=*/100);
  Enter("a", Needs(400));
  Enter("b", Needs(500));
  EXPECT_THAT(entered_, ElementsAre("a", "b"));
  EXPECT_EQ(gate_->load().memory_bytes, 900 * kMib);
  Enter("c", Needs(1));
  EXPECT_THAT(entered_, ElementsAre("a", "b"));
  // What it took is in what is available.
  available_mib_ = 601;
  Leave("a");
  EXPECT_THAT(entered_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(gate_->load().refused_for_memory, 0u);
}

TEST_F(BootGateTest, ABigOneIsNotOvertaken) {
  Limit(8);
  Enter("a", Needs(300));
  Enter("b", Needs(300));
  Enter("big", Needs(900));
  Enter("small", Needs(10));
  Enter("pretended", Needs(0));
  EXPECT_THAT(entered_, ElementsAre("a", "b"));
  Leave("a");
  EXPECT_THAT(entered_, ElementsAre("a", "b"));
  Leave("b");
  EXPECT_THAT(entered_, ElementsAre("a", "b", "big", "small", "pretended"));
}

TEST_F(BootGateTest, ABigOneThatIsWithdrawnLetsOthersIn) {
  Limit(8);
  Enter("a", Needs(300));
  Cancellation cancelled;
  Enter("big", Needs(900), cancelled);
  Enter("small", Needs(10));
  cancelled.Cancel(absl::AbortedError("forced"));
  gate_->Withdraw("big");
  EXPECT_THAT(entered_, ElementsAre("a", "big: ABORTED", "small"));
}

TEST_F(BootGateTest, WhatNeverFitsIsRefusedAtOnce) {
  Limit(1, /*reserve_mib=*/200);
  Enter("boots", Needs(100));
  Enter("huge", Needs(801));
  EXPECT_THAT(entered_, ElementsAre("boots", "huge: RESOURCE_EXHAUSTED"));
  EXPECT_THAT(std::string(refusal_.message()),
              AllOf(HasSubstr("a machine of 801 MiB never fits"), HasSubstr("the host has 1000 MiB"),
                    HasSubstr("200 MiB are kept back (admission.memory_reserve_mib)")));
  EnterFirst("template", Needs(801));
  EXPECT_EQ(entered_.back(), "template: RESOURCE_EXHAUSTED");
  EXPECT_EQ(gate_->load().refused_for_memory, 2u);
}

TEST_F(BootGateTest, WhatHasNoRoomIsRefusedOnceNothingIsStarting) {
  Limit(2, /*reserve_mib=*/100);
  available_mib_ = 500;
  Enter("boots", Needs(300));
  Enter("web", Needs(401));
  Enter("db", Needs(200));
  EXPECT_THAT(entered_, ElementsAre("boots"));
  available_mib_ = 490;
  Leave("boots");
  EXPECT_THAT(entered_, ElementsAre("boots", "web: RESOURCE_EXHAUSTED", "db"));
  EXPECT_THAT(std::string(refusal_.message()),
              AllOf(HasSubstr("a machine of 401 MiB does not fit"), HasSubstr("490 MiB of the host's memory"),
                    HasSubstr("100 MiB are kept back (admission.memory_reserve_mib)")));
  EXPECT_EQ(gate_->load().refused_for_memory, 1u);
}

TEST(UnboundedBootGateTest, WhoHasEnteredMayBeGone) {
  BootGate gate{BootLimits()};
  auto cancellation = std::make_unique<Cancellation>();
  // As an operation that has come to its end on another thread by now. A sanitizer sees who still looks.
  gate.Enter("web", {}, *cancellation, [&cancellation](const auto& place) {
    EXPECT_TRUE(place.ok());
    cancellation.reset();
  });
  EXPECT_EQ(cancellation, nullptr);
  EXPECT_EQ(gate.load().taken, 0u);
}

TEST(UnboundedBootGateTest, MemoryThatNobodyKnowsBoundsNothing) {
  for (const bool asks : {false, true}) {
    BootLimits limits;
    if (asks) limits.memory = [] { return std::optional<HostMemory>(); };
    BootGate gate(limits);
    const Cancellation never;
    bool entered = false;
    gate.Enter("web", {uint64_t{1} << 60, false, absl::InfiniteFuture()}, never,
               [&entered](const auto& place) { entered = place.ok(); });
    EXPECT_TRUE(entered) << asks;
  }
}

TEST_F(BootGateTest, ADeadlineThatCannotBeMetIsToldAtOnce) {
  Limit(2);
  for (int i = 0; i < 3; ++i) Take(absl::Seconds(4));
  for (int i = 0; i < 3; ++i) Take(absl::Seconds(1), /*clone=*/true);
  EXPECT_EQ(gate_->load().wait, absl::ZeroDuration());
  // Who has a place is never refused: what it takes may have changed.
  Enter("a", Within(absl::Seconds(1)));
  Enter("b", Within(absl::Seconds(1)));
  now_ += absl::Seconds(2);
  EXPECT_EQ(gate_->load().wait, absl::Seconds(2));
  Enter("c", Within(absl::Seconds(6)));
  EXPECT_EQ(gate_->load().wait, absl::Seconds(4));
  EXPECT_THAT(entered_, ElementsAre("a", "b"));
  Enter("late", Within(absl::Seconds(7.9)));
  EXPECT_EQ(entered_.back(), "late: DEADLINE_EXCEEDED");
  EXPECT_THAT(std::string(refusal_.message()),
              AllOf(HasSubstr("2 machines are starting and 1 wait before it, which takes about 4s"),
                    HasSubstr("its own start 4s"), HasSubstr("the deadline is in 7.9s")));
  Enter("clone", Within(absl::Seconds(5), /*clone=*/true));
  EXPECT_EQ(entered_.back(), "late: DEADLINE_EXCEEDED") << "a clone takes less, and waits";
  EXPECT_EQ(gate_->load().refused_for_deadline, 1u);
  // One that takes longer than the others did is as good as done.
  now_ += absl::Hours(1);
  EXPECT_EQ(gate_->load().wait, absl::Seconds(2.5));
}

TEST_F(BootGateTest, OneStartThatHungSaysNothingOfTheNext) {
  Limit(1);
  for (int i = 0; i < 7; ++i) Take(absl::Seconds(1));
  Take(absl::Minutes(10));
  Enter("a");
  EXPECT_EQ(gate_->load().wait, absl::Seconds(1));
}

TEST_F(BootGateTest, NoDeadlineIsRefusedBeforeAnythingIsKnown) {
  Limit(1);
  Take(absl::Hours(1));
  Enter("a");
  Enter("b", Within(absl::Seconds(1)));
  EXPECT_THAT(entered_, ElementsAre("a"));
  EXPECT_EQ(gate_->load().waiting, 1u);
}

TEST_F(BootGateTest, WhatMayAlwaysWaitGoesWhenNothingBoots) {
  Limit(2);
  for (const char* pod_id : {"a", "b", "c"}) Enter(pod_id);
  EnterIdle("idle");
  Leave("a");
  Leave("b");
  EXPECT_THAT(entered_, ElementsAre("a", "b", "c")) << "although a place is free";
  Leave("c");
  EXPECT_THAT(entered_, ElementsAre("a", "b", "c", "idle"));
  // A pod does not wait for it as long as there is another place.
  Enter("next");
  EXPECT_EQ(gate_->load().taken, 2u);
  EnterIdle("withdrawn");
  entered_.clear();
  gate_->WithdrawAll();
  EXPECT_THAT(entered_, ElementsAre("withdrawn: CANCELLED"));
}

TEST_F(BootGateTest, WhatMayAlwaysWaitNeedsRoomToo) {
  Limit(2);
  available_mib_ = 100;
  EnterIdle("idle", Needs(200));
  EXPECT_THAT(entered_, ElementsAre("idle: RESOURCE_EXHAUSTED"));
  EXPECT_EQ(gate_->load().refused_for_memory, 0u) << "nobody asked for it";
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
