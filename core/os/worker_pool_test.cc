// SPDX-License-Identifier: Apache-2.0
#include "core/os/worker_pool.h"

#include <memory>
#include <vector>

#include "core/os/completion.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

const CallContext kSoon{absl::Now() + absl::Seconds(60), nullptr};

TEST(WorkerPoolTest, HasNoThreadsBeforeThereIsWork) {
  WorkerPool pool(4);
  EXPECT_EQ(pool.thread_count(), 0);
}

TEST(WorkerPoolTest, GrowsUntilBlockedTasksFindAThreadEach) {
  WorkerPool pool(3);
  std::vector<Completion<int>> started(3);
  std::vector<Completion<int>> release(3);
  for (int i = 0; i < 3; ++i) {
    pool.Post([start = started[i], end = release[i]] {
      start.Set(1);
      (void)end.Wait(kSoon, "release");
    });
  }
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(started[i].Wait(kSoon, "start").ok()) << i;
  EXPECT_EQ(pool.thread_count(), 3);
  for (const Completion<int>& end : release) end.Set(1);
}

TEST(WorkerPoolTest, MoreWorkThanThreadsWaitsInOrder) {
  std::vector<int> order;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Post([&order, i] { order.push_back(i); });
    EXPECT_LE(pool.thread_count(), 1);
  }
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(WorkerPoolTest, TheDestructorRunsWhatIsLeftAndWhatThatPosts) {
  int ran = 0;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 10; ++i) {
      pool.Post([&pool, &ran] { pool.Post([&ran] { ++ran; }); });
    }
  }
  EXPECT_EQ(ran, 10);
}

TEST(WorkerPoolTest, IdleThreadsEndAndOthersComeAfterThem) {
  WorkerPool pool(2, absl::ZeroDuration());
  for (int i = 0; i < 50; ++i) {
    Completion<int> ran;
    pool.Post([ran] { ran.Set(1); });
    EXPECT_TRUE(ran.Wait(kSoon, "task").ok());
  }
  while (pool.thread_count() > 0) std::this_thread::yield();
}

TEST(WorkerPoolTest, TakesWorkFromManyThreads) {
  Mutex mu;
  int ran = 0;
  {
    WorkerPool pool(4, absl::Milliseconds(1));
    std::vector<std::thread> posters;
    for (int p = 0; p < 4; ++p) {
      posters.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          pool.Post([&] {
            MutexLock lock(&mu);
            ++ran;
          });
        }
      });
    }
    for (std::thread& poster : posters) poster.join();
  }
  MutexLock lock(&mu);
  EXPECT_EQ(ran, 2000);
}

}  // namespace
}  // namespace vcd
