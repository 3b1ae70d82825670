// SPDX-License-Identifier: Apache-2.0
// Many checkpoints at once, and operations on other pods.
#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "core/os/worker_pool.h"
#include "core/pod/testing/checkpoint_fixture.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kMost = 16;

class PodCheckpointShareTest : public PodCheckpointTest {
 protected:
  // As many as a daemon has, for the rest of the test.
  void OpenWithManyWorkers() {
    runtime_.reset();
    auto opened = PodRuntime::Open(options_, backends_, filesystem_, io_, workers_, events_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    runtime_ = *std::move(opened);
    runtime_->WaitReconciled();
  }
  ~PodCheckpointShareTest() override { runtime_.reset(); }

  template <typename T>
  static absl::Status End(const Completion<T>& completion) {
    return completion.Wait({Soon().deadline, nullptr}, "the answer").status();
  }

  Completion<v1::Pod> BeginRestore(const std::string& id, absl::Time deadline) {
    Completion<v1::Pod> restored;
    runtime_->RestorePod(Out("one"), id, {deadline, ""}, [restored](auto pod) { restored.Set(std::move(pod)); });
    return restored;
  }
  Completion<CheckpointedPod> BeginCheckpoint(const std::string& id) {
    Completion<CheckpointedPod> made;
    runtime_->CheckpointPod(id, Out(id), false, Soon(), [made](auto result) { made.Set(std::move(result)); });
    return made;
  }

  int Saves() {
    const std::vector<std::string> calls = hypervisor().calls();
    return static_cast<int>(std::count_if(calls.begin(), calls.end(),
                                          [](const std::string& call) { return absl::StartsWith(call, "SaveImage"); }));
  }

  WorkerPool workers_{64};
};

TEST_F(PodCheckpointShareTest, SoManyAreReadAndOthersAreServed) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  MakeEndless(Out("one"));
  ASSERT_NO_FATAL_FAILURE(OpenWithManyWorkers());
  const absl::Status late = End(BeginRestore("late", absl::Now() + absl::Milliseconds(50)));
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded) << late;
  std::vector<Completion<v1::Pod>> restored;
  for (int i = 0; i < 70; ++i) restored.push_back(BeginRestore(absl::StrCat("new-", i), absl::InfiniteFuture()));
  EXPECT_TRUE(Exec("web", {"sleep"}).ok());
  EXPECT_TRUE(Run(ImageConfig("other")).ok());
  const absl::Status waited = End(BeginRestore("late", absl::Now() + absl::Milliseconds(50)));
  EXPECT_EQ(waited.code(), absl::StatusCode::kDeadlineExceeded) << waited;
  EXPECT_THAT(std::string(waited.message()), AllOf(HasSubstr("pod late: restore"), HasSubstr("16 pods")));
  // Those that wait and those that are read.
  runtime_->BeginShutdown();
  for (const auto& one : restored) EXPECT_EQ(End(one).code(), absl::StatusCode::kUnavailable);
}

TEST_F(PodCheckpointShareTest, SoManyAreMadeAndOthersAreServed) {
  ASSERT_NO_FATAL_FAILURE(OpenWithManyWorkers());
  for (int i = 0; i <= kMost; ++i) ASSERT_TRUE(Run(ImageConfig(absl::StrCat("web-", i))).ok());
  std::vector<Completion<CheckpointedPod>> made;
  for (int i = 0; i < kMost; ++i) hypervisor().HangNth("SaveImage", i + 1);
  for (int i = 0; i < kMost; ++i) made.push_back(BeginCheckpoint(absl::StrCat("web-", i)));
  const absl::Time until = Soon().deadline;
  while (Saves() < kMost && absl::Now() < until) std::this_thread::yield();
  ASSERT_EQ(Saves(), kMost);
  const std::string last = absl::StrCat("web-", kMost);
  const Completion<CheckpointedPod> waits = BeginCheckpoint(last);
  EXPECT_TRUE(Run(ImageConfig("other")).ok());
  EXPECT_TRUE(Delete(last, /*force=*/true).ok());
  EXPECT_EQ(ReasonOf(End(waits)), v1::ERROR_REASON_PREEMPTED);
  EXPECT_EQ(Saves(), kMost);
  for (int i = 0; i < kMost; ++i) EXPECT_TRUE(Delete(absl::StrCat("web-", i), /*force=*/true).ok());
  for (const auto& one : made) EXPECT_EQ(ReasonOf(End(one)), v1::ERROR_REASON_PREEMPTED);
  EXPECT_TRUE(Delete("other", /*force=*/true).ok());
  ExpectNothingLeft();
}

}  // namespace
}  // namespace vcd
