// SPDX-License-Identifier: Apache-2.0
#include "core/pod/heartbeat.h"

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "core/metric/testing/recorded_metrics.h"
#include "core/os/completion.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

class Subject : public HeartbeatSubject {
 public:
  std::optional<uint64_t> AskForLife() override {
    ++asked;
    if (still) return std::nullopt;
    return answers ? ++signs : signs;
  }
  void FoundSilent(absl::Duration time) override { found = time; }

  bool answers = true;
  bool still = false;
  uint64_t signs = 0;
  int asked = 0;
  std::optional<absl::Duration> found;
};

class HeartbeatTest : public ::testing::Test {
 protected:
  // The timer never comes in the time of a test: turns are taken by hand.
  std::unique_ptr<Heartbeat> Make(absl::Duration timeout) {
    return std::make_unique<Heartbeat>(io_, Heartbeat::Options{absl::Hours(1), timeout}, metrics_);
  }

  IoThread io_;
  RecordedMetrics metrics_;
};

TEST_F(HeartbeatTest, FindsAGuestSilentAfterSeveralTimesInARow) {
  const auto heartbeat = Make(absl::Minutes(150));
  const auto subject = std::make_shared<Subject>();
  heartbeat->Add(subject);
  heartbeat->Beat(0);
  subject->answers = false;
  heartbeat->Beat(0);
  heartbeat->Beat(0);
  EXPECT_FALSE(subject->found.has_value());
  EXPECT_EQ(metrics_.heartbeats_missed(), 2);
  heartbeat->Beat(0);
  ASSERT_TRUE(subject->found.has_value());
  EXPECT_EQ(*subject->found, absl::Hours(3)) << "the timeout in whole intervals";
  EXPECT_EQ(metrics_.guests_silent(), 1);
  for (int i = 0; i < 10; ++i) heartbeat->Beat(0);
  EXPECT_EQ(metrics_.guests_silent(), 1) << "of one silence it is told once";
  EXPECT_EQ(metrics_.heartbeats_missed(), 3);
  ++subject->signs;
  for (int i = 0; i < 4; ++i) heartbeat->Beat(0);
  EXPECT_EQ(metrics_.guests_silent(), 2) << "of the next it is told again";
}

TEST_F(HeartbeatTest, AnySignOfLifeBeginsAnew) {
  const auto heartbeat = Make(absl::Hours(2));
  const auto subject = std::make_shared<Subject>();
  heartbeat->Add(subject);
  subject->answers = false;
  for (int round = 0; round < 5; ++round) {
    heartbeat->Beat(0);
    heartbeat->Beat(0);
    ++subject->signs;  // Output, not an answer.
  }
  EXPECT_FALSE(subject->found.has_value());
}

TEST_F(HeartbeatTest, OneMissedAnswerIsNeverEnough) {
  const auto heartbeat = Make(absl::Seconds(1));
  const auto subject = std::make_shared<Subject>();
  heartbeat->Add(subject);
  subject->answers = false;
  heartbeat->Beat(0);
  heartbeat->Beat(0);
  EXPECT_FALSE(subject->found.has_value());
  heartbeat->Beat(0);
  EXPECT_TRUE(subject->found.has_value());
}

TEST_F(HeartbeatTest, AGuestThatStandsStillIsNotMissed) {
  const auto heartbeat = Make(absl::Hours(2));
  const auto subject = std::make_shared<Subject>();
  heartbeat->Add(subject);
  subject->answers = false;
  heartbeat->Beat(0);
  heartbeat->Beat(0);
  subject->still = true;
  heartbeat->Beat(0);
  subject->still = false;
  heartbeat->Beat(0);
  heartbeat->Beat(0);
  EXPECT_FALSE(subject->found.has_value()) << "what it missed before the pause does not count";
  heartbeat->Beat(0);
  EXPECT_TRUE(subject->found.has_value());
}

TEST_F(HeartbeatTest, SubjectsTakeTurnsAndGoUnnoticed) {
  const auto heartbeat = Make(absl::Hours(2));
  std::vector<std::shared_ptr<Subject>> subjects;
  for (size_t i = 0; i < Heartbeat::kTurns + 1; ++i) {
    subjects.push_back(std::make_shared<Subject>());
    heartbeat->Add(subjects.back());
  }
  heartbeat->Beat(0);
  EXPECT_EQ(subjects[0]->asked, 1);
  EXPECT_EQ(subjects[1]->asked, 0);
  EXPECT_EQ(subjects[Heartbeat::kTurns]->asked, 1);
  subjects[0].reset();
  heartbeat->Beat(0);
  EXPECT_EQ(subjects[Heartbeat::kTurns]->asked, 2);
}

TEST_F(HeartbeatTest, AsksNobodyOnceStopped) {
  const auto heartbeat = Make(absl::Hours(2));
  const auto subject = std::make_shared<Subject>();
  heartbeat->Add(subject);
  heartbeat->Stop();
  heartbeat->Beat(0);
  EXPECT_EQ(subject->asked, 0);
}

// The one test with the real timer.
TEST_F(HeartbeatTest, TheTimerFindsThem) {
  class Silent : public HeartbeatSubject {
   public:
    std::optional<uint64_t> AskForLife() override { return 1; }
    void FoundSilent(absl::Duration time) override { found.Set(time); }
    Completion<absl::Duration> found;
  };
  Heartbeat heartbeat(io_, {absl::Milliseconds(16), absl::Milliseconds(32)}, metrics_);
  const auto subject = std::make_shared<Silent>();
  heartbeat.Add(subject);
  const auto found = subject->found.Wait({absl::Now() + absl::Seconds(20), nullptr}, "to be found");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, absl::Milliseconds(32));
}

}  // namespace
}  // namespace vcd
