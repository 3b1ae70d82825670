// SPDX-License-Identifier: Apache-2.0
#include "core/os/shared_sync_filesystem.h"

#include <atomic>
#include <thread>

#include "core/os/completion.h"
#include "core/os/testing/memory_filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

// Syncs of "/held" wait until they are let go.
class HeldFilesystem : public MemoryFilesystem {
 public:
  absl::Status SyncDirectory(const std::string& path) override {
    if (path == "/held") {
      ++syncs;
      entered.Set(true);
      (void)release.Wait({absl::Now() + absl::Seconds(30), nullptr}, "the release");
      release.Set(true);
      if (fails) return absl::DataLossError("EIO");
    }
    return MemoryFilesystem::SyncDirectory(path);
  }
  std::atomic<int> syncs = 0;
  std::atomic<bool> fails = false;
  Completion<bool> entered;
  Completion<bool> release;
};

TEST(SharedSyncFilesystemTest, ThoseWhoComeDuringASyncShareTheNext) {
  HeldFilesystem held;
  ASSERT_TRUE(held.CreateDirectory("/held").ok());
  ASSERT_TRUE(held.CreateDirectory("/other").ok());
  SharedSyncFilesystem shared(held);
  std::thread first([&] { EXPECT_TRUE(shared.SyncDirectory("/held").ok()); });
  ASSERT_TRUE(held.entered.Wait({absl::Now() + absl::Seconds(30), nullptr}, "the first").ok());
  // Another directory does not wait.
  EXPECT_TRUE(shared.SyncDirectory("/other").ok());
  std::vector<std::thread> others;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 20; ++i) others.emplace_back([&] { failed += !shared.SyncDirectory("/held").ok(); });
  while (shared.waiting() < 20) std::this_thread::yield();
  held.release.Set(true);
  first.join();
  for (std::thread& other : others) other.join();
  EXPECT_EQ(failed, 0);
  // Those that came while the first was held made one more together.
  EXPECT_EQ(held.syncs, 2);
}

TEST(SharedSyncFilesystemTest, AFailureIsToldToAll) {
  HeldFilesystem held;
  ASSERT_TRUE(held.CreateDirectory("/held").ok());
  held.fails = true;
  held.release.Set(true);
  SharedSyncFilesystem shared(held);
  std::vector<std::thread> callers;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 8; ++i) callers.emplace_back([&] { failed += !shared.SyncDirectory("/held").ok(); });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failed, 8);
  held.fails = false;
  EXPECT_TRUE(shared.SyncDirectory("/held").ok());
}

}  // namespace
}  // namespace vcd
