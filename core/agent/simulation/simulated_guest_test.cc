// SPDX-License-Identifier: Apache-2.0
#include "core/agent/simulation/simulated_guest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <optional>

namespace vcd {
namespace {

const ProcessKey kMain{"main", ""};

v1::Cmd Command(std::initializer_list<std::string> args, bool interactive = false) {
  v1::Cmd cmd;
  for (const std::string& arg : args) cmd.add_args(arg);
  cmd.set_interactive(interactive);
  return cmd;
}

// A guest with a clock that stands still until it is told, and its file in memory.
class SimulatedGuestTest : public testing::Test {
 protected:
  SimulatedGuest::Options Options() {
    SimulatedGuest::Options options;
    options.now = [this] { return now_; };
    options.save = [this](const state::v1::SimulatedGuest& saved) {
      if (save_error_.ok()) saved_ = saved;
      return save_error_;
    };
    options.wake = [this](absl::Time wake) { wake_ = wake; };
    options.output_window = 64;
    return options;
  }

  void SetUp() override { guest_ = std::make_unique<SimulatedGuest>(Options(), "machine"); }

  // Another daemon, as it were: from what was saved.
  void Restart() {
    guest_ = std::make_unique<SimulatedGuest>(saved_, Options());
    guest_->Advance();
    Listen();
  }

  // Hears and acknowledges all.
  void Listen() {
    output_.clear();
    exit_.reset();
    guest_->Attach([this](const SimulatedGuest::Event& event) {
      if (const auto* output = std::get_if<SimulatedGuest::Output>(&event)) {
        output_ += output->data;
        acknowledge_ = output->offset + output->data.size();
      } else if (const auto* exited = std::get_if<SimulatedGuest::Exited>(&event)) {
        exit_ = exited->status;
      }
    });
  }
  void AcknowledgeAll() {
    for (uint64_t before = ~uint64_t{0}; acknowledge_ != before;) {
      before = acknowledge_;
      guest_->Acknowledge(kMain, StdStream::kStdout, acknowledge_);
    }
  }

  void Run(const v1::Cmd& cmd) {
    ASSERT_TRUE(std::holds_alternative<int32_t>(guest_->Create("main", cmd)));
    ASSERT_TRUE(std::holds_alternative<int32_t>(guest_->Start("main")));
  }
  void Pass(absl::Duration time) {
    now_ += time;
    guest_->Advance();
  }

  absl::Time now_ = absl::FromUnixSeconds(1000000);
  absl::Time wake_ = absl::InfinitePast();
  absl::Status save_error_;
  state::v1::SimulatedGuest saved_;
  std::unique_ptr<SimulatedGuest> guest_;
  std::string output_;
  uint64_t acknowledge_ = 0;
  std::optional<v1::ExitStatus> exit_;
};

TEST_F(SimulatedGuestTest, AsksToBeWokenWhenAProcessGoesOn) {
  Listen();
  Run(Command({"script", "print a", "sleep 2", "print b", "exit 3"}));
  EXPECT_EQ(output_, "a\n");
  EXPECT_EQ(wake_, now_ + absl::Seconds(2));
  Pass(absl::Seconds(1));
  EXPECT_EQ(output_, "a\n");
  Pass(absl::Seconds(1));
  EXPECT_EQ(output_, "a\nb\n");
  ASSERT_TRUE(exit_.has_value());
  EXPECT_EQ(exit_->code(), 3);
}

TEST_F(SimulatedGuestTest, LivesOnWhileNobodyLooks) {
  Run(Command({"script", "sleep 1", "print late", "sleep 1", "exit 5"}));
  guest_.reset();
  now_ += absl::Seconds(10);
  Restart();
  EXPECT_EQ(output_, "late\n");
  ASSERT_TRUE(exit_.has_value());
  EXPECT_EQ(exit_->code(), 5);
}

TEST_F(SimulatedGuestTest, KeepsProcessesPidsAndUnacknowledgedOutput) {
  Listen();
  Run(Command({"cat"}, /*interactive=*/true));
  ASSERT_TRUE(std::holds_alternative<int32_t>(guest_->Create("held", Command({"cat"}, true))));
  ASSERT_TRUE(std::holds_alternative<int32_t>(guest_->Exec({"main", "p1"}, Command({"exit", "7"}))));
  guest_->Input(kMain, "abc", false);
  AcknowledgeAll();
  guest_->Input(kMain, "def", false);
  guest_->Input({"held", ""}, "early", true);
  const auto before = guest_->Processes();
  Restart();
  EXPECT_EQ(output_, "def");
  const auto after = guest_->Processes();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].process.key, before[i].process.key);
    EXPECT_EQ(after[i].process.pid, before[i].process.pid);
    EXPECT_EQ(after[i].process.started, before[i].process.started);
    EXPECT_EQ(after[i].process.exit.has_value(), before[i].process.exit.has_value());
    EXPECT_EQ(after[i].stdin_received, before[i].stdin_received);
  }
  EXPECT_TRUE(std::holds_alternative<int32_t>(guest_->Start("held")));
  EXPECT_EQ(output_, "defearly");
  // No pid is given twice.
  EXPECT_GT(std::get<int32_t>(guest_->Exec({"main", "p2"}, Command({"sleep"}))), after[2].process.pid);
}

TEST_F(SimulatedGuestTest, KeepsNoMoreOutputThanItsWindow) {
  Run(Command({"flood", "1000000"}));
  EXPECT_LE(saved_.processes(0).standard_output().kept().size(), 64u);
  Listen();
  AcknowledgeAll();
  EXPECT_EQ(output_.size(), 1000000u);
  EXPECT_TRUE(exit_.has_value());
}

TEST_F(SimulatedGuestTest, FloodGoesOnWhereItWas) {
  Listen();
  Run(Command({"flood", "100"}));
  const std::string first = output_;
  guest_->Acknowledge(kMain, StdStream::kStdout, first.size());
  Restart();
  AcknowledgeAll();
  const std::string all = first.substr(0, 64) + output_;
  ASSERT_EQ(all.size(), 100u);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(static_cast<uint8_t>(all[i]), i % 251) << i;
}

TEST_F(SimulatedGuestTest, TimeStandsStillWhilePaused) {
  Listen();
  Run(Command({"sleep", "10"}));
  Pass(absl::Seconds(4));
  guest_->SetPaused(true);
  EXPECT_EQ(wake_, absl::InfiniteFuture());
  Pass(absl::Hours(1));
  EXPECT_FALSE(exit_.has_value());
  guest_->SetPaused(false);
  EXPECT_EQ(wake_, now_ + absl::Seconds(6));
  Pass(absl::Seconds(6));
  EXPECT_TRUE(exit_.has_value());
}

TEST_F(SimulatedGuestTest, APauseOverARestartIsNoTimeToo) {
  Run(Command({"sleep", "10"}));
  guest_->SetPaused(true);
  now_ += absl::Hours(1);
  Restart();
  EXPECT_FALSE(exit_.has_value());
  EXPECT_EQ(wake_, now_ + absl::Seconds(10));
}

TEST_F(SimulatedGuestTest, MutedItTellsLater) {
  Listen();
  guest_->SetMuted(true);
  Run(Command({"print", "words"}));
  EXPECT_EQ(output_, "");
  EXPECT_FALSE(exit_.has_value());
  guest_->SetMuted(false);
  EXPECT_EQ(output_, "words");
  EXPECT_TRUE(exit_.has_value());
}

TEST_F(SimulatedGuestTest, OnlyKillEndsTheStubborn) {
  Listen();
  Run(Command({"stubborn"}));
  guest_->Signal(kMain, SIGTERM, false);
  EXPECT_FALSE(exit_.has_value());
  guest_->Signal(kMain, SIGKILL, false);
  ASSERT_TRUE(exit_.has_value());
  EXPECT_EQ(exit_->code(), 137);
}

TEST_F(SimulatedGuestTest, EndsAsItIsTold) {
  Listen();
  Run(Command({"sleep"}));
  EXPECT_TRUE(guest_->Exit(kMain, 139, SIGSEGV));
  ASSERT_TRUE(exit_.has_value());
  EXPECT_EQ(exit_->signal(), SIGSEGV);
  EXPECT_FALSE(guest_->Exit(kMain, 0));
}

TEST_F(SimulatedGuestTest, MakesNoProcessThatCannotBeKept) {
  save_error_ = absl::ResourceExhaustedError("disk full");
  const auto answer = guest_->Create("main", Command({"sleep"}));
  ASSERT_TRUE(std::holds_alternative<SimulatedRefusal>(answer));
  EXPECT_EQ(std::get<SimulatedRefusal>(answer).words, "disk full");
  EXPECT_TRUE(guest_->Processes().empty());
}

TEST_F(SimulatedGuestTest, InputOfAProcessThatDoesNotReadWaits) {
  Run(Command({"sleep"}, /*interactive=*/true));
  bool room = false;
  guest_->Input(kMain, std::string(1000, 'x'), false, &room);
  EXPECT_TRUE(room);
  guest_->Input(kMain, std::string(300000, 'x'), false, &room);
  EXPECT_FALSE(room);
}

}  // namespace
}  // namespace vcd
