// SPDX-License-Identifier: Apache-2.0
#include "core/pod/log_threads.h"

#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::HasSubstr;

CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }
CallContext Now() { return {absl::InfinitePast(), nullptr}; }

TEST(LogThreadsTest, FilesystemThatHangsKeepsItsOwnThreadsAndNoOthers) {
  LogThreads threads(/*most_of_a_filesystem=*/2);
  std::vector<Completion<bool>> hanging(2), answers(2);
  for (int i = 0; i < 2; ++i) {
    threads.Post(1, [begun = hanging[i], answer = answers[i]] {
      begun.Set(true);
      (void)answer.Wait({}, "an answer");
    });
  }
  for (const Completion<bool>& begun : hanging) ASSERT_TRUE(begun.Wait(Soon(), "a task that hangs").ok());
  Completion<bool> behind, beside, unknown;
  threads.Post(1, [behind] { behind.Set(true); });
  threads.Post(2, [beside] { beside.Set(true); });
  threads.Post(0, [unknown] { unknown.Set(true); });
  EXPECT_TRUE(beside.Wait(Soon(), "another file system").ok());
  EXPECT_TRUE(unknown.Wait(Soon(), "one that is not known").ok());
  EXPECT_FALSE(behind.done());
  for (const Completion<bool>& answer : answers) answer.Set(true);
  EXPECT_TRUE(behind.Wait(Soon(), "the one behind").ok());
}

TEST(LogThreadsTest, FinishWaitsForWhatTasksPost) {
  LogThreads threads;
  bool done = false;
  threads.Post(1, [&] { threads.Post(2, [&] { threads.Post(1, [&] { done = true; }); }); });
  threads.Finish();
  EXPECT_TRUE(done);
}

TEST(LogThreadsTest, WhoWaitsForALogIsToldWhichAndUntilWhen) {
  LogThreads threads;
  EXPECT_TRUE(threads.AwaitFree("/logs/a.log", Now()).ok());
  threads.Hold("/logs/a.log");
  const absl::Status late = threads.AwaitFree("/logs/a.log", Now());
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(late.message(), HasSubstr("/logs/a.log"));
  EXPECT_TRUE(threads.AwaitFree("/logs/b.log", Now()).ok());
  threads.Post(1, [&] { threads.Release("/logs/a.log"); });
  EXPECT_TRUE(threads.AwaitFree("/logs/a.log", Soon()).ok());
}

}  // namespace
}  // namespace vcd
