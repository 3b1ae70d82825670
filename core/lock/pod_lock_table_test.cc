// SPDX-License-Identifier: Apache-2.0
#include "core/lock/pod_lock_table.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "core/os/file_lock.h"
#include "core/os/testing/temporary_directory.h"
#include "core/os/worker_pool.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const CallContext kSoon{absl::Now() + absl::Seconds(60), nullptr};

// The answer to one Acquire, kept until the test takes it.
class Answer {
 public:
  bool done() const { return completion_.done(); }
  absl::StatusOr<std::shared_ptr<PodLock>> Wait() const { return completion_.Wait(kSoon, "the lock"); }
  PodLockTable::Granted Callback() const {
    return [completion = completion_](absl::StatusOr<PodLock> lock) {
      if (!lock.ok()) return completion.Set(lock.status());
      completion.Set(std::make_shared<PodLock>(*std::move(lock)));
    };
  }

 private:
  Completion<std::shared_ptr<PodLock>> completion_;
};

class PodLockTableTest : public testing::Test {
 protected:
  PodLockTable::Waiter For(const std::string& operation, LockMode mode = LockMode::kExclusive) {
    PodLockTable::Waiter waiter;
    waiter.operation = operation;
    waiter.mode = mode;
    return waiter;
  }
  Answer Ask(const PodLockTable::Waiter& waiter, const std::string& pod = "web") {
    Answer answer;
    table_->Acquire(pod, waiter, answer.Callback());
    return answer;
  }
  std::shared_ptr<PodLock> Take(const PodLockTable::Waiter& waiter, const std::string& pod = "web") {
    absl::StatusOr<std::shared_ptr<PodLock>> lock = Ask(waiter, pod).Wait();
    EXPECT_TRUE(lock.ok()) << lock.status();
    return lock.ok() ? *lock : nullptr;
  }

  IoThread io_;
  WorkerPool pool_{4};
  std::unique_ptr<PodLockTable> table_ = std::make_unique<PodLockTable>(
      io_, [this](std::function<void()> task) { pool_.Post(std::move(task)); }, nullptr);
};

TEST_F(PodLockTableTest, AnExclusiveLockIsAloneAndPodsAreApart) {
  std::shared_ptr<PodLock> first = Take(For("StartPod"));
  const Answer second = Ask(For("StopPod"));
  const Answer shared = Ask(For("Exec", LockMode::kShared));
  std::shared_ptr<PodLock> other = Take(For("StartPod"), "db");
  EXPECT_FALSE(second.done());
  EXPECT_FALSE(shared.done());
  EXPECT_EQ(table_->size(), 2);
  first->Release();
  std::shared_ptr<PodLock> next = *second.Wait();
  EXPECT_FALSE(shared.done());
  next.reset();
  EXPECT_TRUE(shared.Wait().ok());
}

TEST_F(PodLockTableTest, SharedLocksStandTogetherUpToTheirLimit) {
  std::vector<std::shared_ptr<PodLock>> locks;
  for (int i = 0; i < 8; ++i) locks.push_back(Take(For("Exec", LockMode::kShared)));
  const Answer ninth = Ask(For("Exec", LockMode::kShared));
  EXPECT_FALSE(ninth.done());
  locks.pop_back();
  EXPECT_TRUE(ninth.Wait().ok());
}

TEST_F(PodLockTableTest, WhoComesLaterDoesNotOvertake) {
  std::shared_ptr<PodLock> reader = Take(For("Exec", LockMode::kShared));
  const Answer writer = Ask(For("StopPod"));
  const Answer late_reader = Ask(For("Exec", LockMode::kShared));
  EXPECT_FALSE(late_reader.done());
  reader.reset();
  std::shared_ptr<PodLock> held = *writer.Wait();
  EXPECT_FALSE(late_reader.done());
  held.reset();
  EXPECT_TRUE(late_reader.Wait().ok());
}

TEST_F(PodLockTableTest, FrontGoesBeforeThoseThatWaitButInTheirOwnOrder) {
  std::shared_ptr<PodLock> held = Take(For("CreatePod"));
  Mutex mu;
  std::vector<std::string> order;
  std::vector<Completion<int>> done(4);
  const auto ask = [&](int i, const std::string& name, bool front) {
    PodLockTable::Waiter waiter = For(name);
    waiter.front = front;
    table_->Acquire("web", waiter, [&, i, name](absl::StatusOr<PodLock> lock) {
      ASSERT_TRUE(lock.ok());
      {
        MutexLock order_lock(&mu);
        order.push_back(name);
      }
      lock->Release();
      done[i].Set(i);
    });
  };
  ask(0, "a", false);
  ask(1, "b", false);
  ask(2, "front a", true);
  ask(3, "front b", true);
  held.reset();
  for (const Completion<int>& completion : done) ASSERT_TRUE(completion.Wait(kSoon, "order").ok());
  MutexLock lock(&mu);
  EXPECT_THAT(order, ElementsAre("front a", "front b", "a", "b"));
}

TEST_F(PodLockTableTest, WaitingEndsAtTheDeadlineNamingThePodAndItsHolder) {
  std::shared_ptr<PodLock> held = Take(For("StartPod"));
  PodLockTable::Waiter waiter = For("StopPod");
  waiter.deadline = absl::Now();
  const absl::Status status = Ask(waiter).Wait().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pod web: StopPod waited until its deadline"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("(exclusive) by StartPod"));
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_LOCK_TIMEOUT);
  EXPECT_EQ(DetailOf(status)->metadata.at("pod_id"), "web");
  EXPECT_EQ(DetailOf(status)->metadata.at("holder"), "StartPod");
  held.reset();
  EXPECT_EQ(table_->size(), 0);
}

TEST_F(PodLockTableTest, APassedDeadlineStillGetsAFreeLock) {
  PodLockTable::Waiter waiter = For("StopPod");
  waiter.deadline = absl::InfinitePast();
  EXPECT_TRUE(Ask(waiter).Wait().ok());
}

TEST_F(PodLockTableTest, AnExpiredWriterLetsTheReadersBehindItIn) {
  std::shared_ptr<PodLock> reader = Take(For("Exec", LockMode::kShared));
  PodLockTable::Waiter writer = For("StopPod");
  writer.deadline = absl::Now() + absl::Milliseconds(5);
  const Answer expired = Ask(writer);
  const Answer late_reader = Ask(For("Exec", LockMode::kShared));
  EXPECT_TRUE(late_reader.Wait().ok());
  EXPECT_FALSE(expired.Wait().ok());
}

TEST_F(PodLockTableTest, PreemptCancelsEveryHolderAndNobodyElse) {
  std::shared_ptr<PodLock> a = Take(For("Exec", LockMode::kShared));
  std::shared_ptr<PodLock> b = Take(For("Exec", LockMode::kShared));
  const Answer waits = Ask(For("StopPod"));
  table_->Preempt("web", absl::AbortedError("forced"));
  EXPECT_EQ(a->cancellation().status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(b->cancellation().status().code(), absl::StatusCode::kAborted);
  a.reset();
  b.reset();
  std::shared_ptr<PodLock> next = *waits.Wait();
  EXPECT_TRUE(next->cancellation().status().ok());
  table_->Preempt("no such pod", absl::AbortedError("forced"));
}

TEST_F(PodLockTableTest, APreemptingWaiterCancelsAndComesNext) {
  std::shared_ptr<PodLock> held = Take(For("StartPod"));
  const Answer polite = Ask(For("StopPod"));
  PodLockTable::Waiter force = For("DeletePod");
  force.preempt = absl::AbortedError("DeletePod with force came first");
  const Answer forced = Ask(force);
  EXPECT_FALSE(held->cancellation().status().ok());
  held.reset();
  std::shared_ptr<PodLock> next = *forced.Wait();
  EXPECT_FALSE(polite.done());
  EXPECT_TRUE(next->cancellation().status().ok());
}

TEST_F(PodLockTableTest, ASharedPreemptingWaiterCancelsOnlyWhatKeepsItOut) {
  PodLockTable::Waiter kill = For("KillContainer", LockMode::kShared);
  kill.preempt = absl::AbortedError("KillContainer came first");
  std::shared_ptr<PodLock> exec = Take(For("Exec", LockMode::kShared));
  std::shared_ptr<PodLock> killing = Take(kill);
  EXPECT_TRUE(exec->cancellation().status().ok());
  exec.reset();
  killing.reset();
  std::shared_ptr<PodLock> stop = Take(For("StopContainer"));
  const Answer answer = Ask(kill);
  EXPECT_EQ(stop->cancellation().status().code(), absl::StatusCode::kAborted);
  stop.reset();
  EXPECT_TRUE(answer.Wait().ok());
}

TEST_F(PodLockTableTest, APreemptedStepEndsAtOnce) {
  std::shared_ptr<PodLock> held = Take(For("StartPod"));
  Completion<int> never;
  CallContext context{absl::InfiniteFuture(), &held->cancellation()};
  std::thread step([&] { EXPECT_EQ(never.Wait(context, "boot").status().code(), absl::StatusCode::kAborted); });
  table_->Preempt("web", absl::AbortedError("forced"));
  step.join();
}

TEST_F(PodLockTableTest, ShutdownEndsWaitingCancelsHoldersAndRefusesMore) {
  std::shared_ptr<PodLock> held = Take(For("StartPod"));
  const Answer waits = Ask(For("StopPod"));
  table_->Shutdown(absl::UnavailableError("vcd stops"));
  EXPECT_EQ(waits.Wait().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(held->cancellation().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Ask(For("StopPod")).Wait().status().code(), absl::StatusCode::kUnavailable);
  table_.reset();
  held->Release();
}

TEST_F(PodLockTableTest, PodsVanishWithTheirLastLock) {
  for (int i = 0; i < 100; ++i) Take(For("CreatePod"), absl::StrCat("pod-", i));
  EXPECT_EQ(table_->size(), 0);
}

TEST_F(PodLockTableTest, NeverTwoWritersNorAWriterBesideReaders) {
  Mutex mu;
  int writers[3] = {};
  int readers[3] = {};
  bool wrong = false;
  std::atomic<int> answered = 0;
  Completion<int> all;
  constexpr int kRequests = 2000;
  const auto ask = [&](int i) {
    const bool shared = i % 3 != 0;
    PodLockTable::Waiter waiter = For("op", shared ? LockMode::kShared : LockMode::kExclusive);
    waiter.front = i % 7 == 0;
    if (i % 11 == 0) waiter.deadline = absl::Now();
    const int pod = i % 5 % 3;
    table_->Acquire(absl::StrCat("pod-", pod), waiter, [&, shared, pod](absl::StatusOr<PodLock> lock) {
      if (lock.ok()) {
        int& holders = shared ? readers[pod] : writers[pod];
        {
          MutexLock l(&mu);
          ++holders;
          wrong = wrong || writers[pod] > 1 || (writers[pod] == 1 && readers[pod] > 0) || readers[pod] > 8;
        }
        std::this_thread::yield();
        MutexLock l(&mu);
        --holders;
      }
      lock = absl::UnknownError("released");
      // Last of all: the test ends with it, and takes what is captured here along.
      if (++answered == kRequests) all.Set(1);
    });
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < kRequests; i += 4) ask(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(all.Wait(kSoon, "all answers").ok());
  EXPECT_FALSE(wrong);
  EXPECT_EQ(table_->size(), 0);
}

class PodLockFileTest : public PodLockTableTest {
 protected:
  PodLockFileTest() {
    PodLockTable::Options options;
    options.file_retry_interval = absl::Milliseconds(1);
    table_ = std::make_unique<PodLockTable>(
        io_, [this](std::function<void()> task) { pool_.Post(std::move(task)); },
        [this](const std::string& pod_id) { return LockPath(pod_id); }, options);
    MakeDirectory("web");
  }
  std::string LockPath(const std::string& pod_id) const { return directory_.path() + "/" + pod_id + "/lock"; }
  void MakeDirectory(const std::string& pod_id) {
    EXPECT_EQ(::mkdir((directory_.path() + "/" + pod_id).c_str(), 0750), 0);
  }
  // What a second process gets.
  absl::StatusOr<FileLock> Outside(const std::string& pod_id, FileLockMode mode = FileLockMode::kExclusive) {
    return FileLock::Acquire(LockPath(pod_id), mode, /*nonblocking=*/true);
  }

  TemporaryDirectory directory_;
};

TEST_F(PodLockFileTest, KeepsOtherProcessesOffWhileHeld) {
  std::shared_ptr<PodLock> lock = Take(For("StartPod"));
  EXPECT_EQ(Outside("web").status().code(), absl::StatusCode::kUnavailable);
  lock.reset();
  EXPECT_TRUE(Outside("web").ok());
}

TEST_F(PodLockFileTest, SharedIsSharedWithOtherProcessesToo) {
  std::shared_ptr<PodLock> a = Take(For("Exec", LockMode::kShared));
  std::shared_ptr<PodLock> b = Take(For("Exec", LockMode::kShared));
  EXPECT_TRUE(Outside("web", FileLockMode::kShared).ok());
  EXPECT_FALSE(Outside("web").ok());
}

TEST_F(PodLockFileTest, WaitsForAnotherProcess) {
  absl::StatusOr<FileLock> outside = Outside("web");
  ASSERT_TRUE(outside.ok());
  const Answer answer = Ask(For("StartPod"));
  EXPECT_FALSE(answer.done());
  outside = absl::UnknownError("released");
  EXPECT_TRUE(answer.Wait().ok());
}

TEST_F(PodLockFileTest, AtTheDeadlineSaysThatAnotherProcessHoldsTheFile) {
  absl::StatusOr<FileLock> outside = Outside("web");
  ASSERT_TRUE(outside.ok());
  PodLockTable::Waiter waiter = For("StartPod");
  waiter.deadline = absl::Now() + absl::Milliseconds(10);
  const absl::Status status = Ask(waiter).Wait().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_LOCK_TIMEOUT);
  EXPECT_EQ(DetailOf(status)->metadata.at("holder"), "another process");
  EXPECT_THAT(std::string(status.message()), HasSubstr(LockPath("web")));
  EXPECT_EQ(table_->size(), 0);
}

TEST_F(PodLockFileTest, PreemptAndShutdownEndTheWaitForAnotherProcess) {
  absl::StatusOr<FileLock> outside = Outside("web");
  ASSERT_TRUE(outside.ok());
  const Answer preempted = Ask(For("StartPod"));
  table_->Preempt("web", absl::AbortedError("forced"));
  EXPECT_EQ(preempted.Wait().status().code(), absl::StatusCode::kAborted);
  const Answer ended = Ask(For("StartPod"));
  table_.reset();
  EXPECT_EQ(ended.Wait().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(PodLockFileTest, APodWithoutADirectoryTakesItsFileLater) {
  std::shared_ptr<PodLock> lock = Take(For("CreatePod"), "db");
  EXPECT_EQ(lock->TakeLockFile().code(), absl::StatusCode::kNotFound);
  MakeDirectory("db");
  EXPECT_TRUE(lock->TakeLockFile().ok());
  EXPECT_TRUE(lock->TakeLockFile().ok());
  EXPECT_FALSE(Outside("db").ok());
  lock.reset();
  absl::StatusOr<FileLock> outside = Outside("db");
  ASSERT_TRUE(outside.ok());
}

TEST_F(PodLockFileTest, AFileThatCannotBeOpenedIsAnErrorAndHoldsNothing) {
  // Where its directory should be is a file.
  std::ofstream(directory_.path() + "/db") << "";
  EXPECT_FALSE(Ask(For("StartPod"), "db").Wait().ok());
  EXPECT_EQ(table_->size(), 0);
}

TEST_F(PodLockFileTest, WhatStandsInTheFilesPlaceIsMovedAway) {
  ASSERT_EQ(::mkdir(LockPath("web").c_str(), 0750), 0);
  std::shared_ptr<PodLock> lock = Take(For("DeletePod"));
  EXPECT_EQ(Outside("web").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_directory(LockPath("web") + ".damaged-1"));
}

}  // namespace
}  // namespace vcd
