// SPDX-License-Identifier: Apache-2.0
#include "core/metric/metered_filesystem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "core/metric/testing/recorded_metrics.h"
#include "core/os/testing/fault_injection_filesystem.h"
#include "core/os/testing/memory_filesystem.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class MeteredFilesystemTest : public testing::Test {
 protected:
  MemoryFilesystem memory_;
  FaultInjectionFilesystem below_{memory_};
  RecordedMetrics metrics_;
  MeteredFilesystem filesystem_{below_, metrics_};
};

TEST_F(MeteredFilesystemTest, TellsOfTheSyncsOfADurableWriteInTheirOrder) {
  ASSERT_TRUE(filesystem_.CreateDirectory("/d").ok());
  EXPECT_THAT(metrics_.syncs(), IsEmpty());
  ASSERT_TRUE(filesystem_.ReplaceFile("/d/f", "text").ok());
  EXPECT_THAT(metrics_.syncs(), ElementsAre(Pair(SyncTarget::kFile, true), Pair(SyncTarget::kDirectory, true)));
  EXPECT_EQ(*memory_.ReadFile("/d/f"), "text");
}

TEST_F(MeteredFilesystemTest, TellsOfSyncsThatFailAndReturnsTheirErrors) {
  ASSERT_TRUE(filesystem_.WriteFile("/f", "text").ok());
  below_.Reset();
  below_.FailCall(1, EIO);
  EXPECT_FALSE(filesystem_.SyncFile("/f").ok());
  EXPECT_THAT(metrics_.syncs(), ElementsAre(Pair(SyncTarget::kFile, false)));
}

TEST_F(MeteredFilesystemTest, PassesEverythingElseOn) {
  ASSERT_TRUE(filesystem_.CreateDirectory("/d").ok());
  ASSERT_TRUE(filesystem_.WriteFile("/d/a", "text").ok());
  ASSERT_TRUE(filesystem_.Rename("/d/a", "/d/b").ok());
  EXPECT_EQ(*filesystem_.ReadFile("/d/b"), "text");
  EXPECT_THAT(*filesystem_.ListDirectory("/d"), ElementsAre("b"));
  EXPECT_EQ(*filesystem_.Look("/d/b"), FileKind::kFile);
  ASSERT_TRUE(filesystem_.RemoveFile("/d/b").ok());
  ASSERT_TRUE(filesystem_.RemoveTree("/d").ok());
  EXPECT_EQ(*memory_.Look("/d"), FileKind::kNone);
  EXPECT_THAT(below_.calls(), ElementsAre("CreateDirectory /d", "WriteFile /d/a", "Rename /d/a /d/b", "ReadFile /d/b",
                                          "ListDirectory /d", "Look /d/b", "RemoveFile /d/b", "RemoveTree /d"));
}

}  // namespace
}  // namespace vcd
