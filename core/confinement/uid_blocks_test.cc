// SPDX-License-Identifier: Apache-2.0
#include "core/confinement/uid_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint32_t kFirst = 1000000;

class UidBlocksTest : public testing::Test {
 protected:
  std::string Pod(const std::string& id) {
    const std::string run_dir = absl::StrCat(directory_.path(), "/pods/", id);
    std::filesystem::create_directories(run_dir);
    return run_dir;
  }
  std::string Uids() const { return directory_.path() + "/uids"; }

  TemporaryDirectory directory_;
};

TEST_F(UidBlocksTest, EachPodHasABlockOfItsOwn) {
  UidBlocks blocks(Uids(), kFirst, 3 * 65536);
  EXPECT_EQ(*blocks.Take(Pod("a")), kFirst);
  EXPECT_EQ(*blocks.Take(Pod("b")), kFirst + 65536);
  EXPECT_EQ(*blocks.Take(Pod("a")), kFirst) << "it has one already";
  ASSERT_TRUE(blocks.GiveBack(Pod("a")).ok());
  EXPECT_EQ(*blocks.Take(Pod("c")), kFirst);
  EXPECT_EQ(*blocks.Take(Pod("a")), kFirst + 2 * 65536);
}

TEST_F(UidBlocksTest, ANewDaemonKnowsWhatWasTaken) {
  EXPECT_EQ(*UidBlocks(Uids(), kFirst, 4 * 65536).Take(Pod("a")), kFirst);
  UidBlocks later(Uids(), kFirst, 4 * 65536);
  EXPECT_EQ(*later.Take(Pod("b")), kFirst + 65536);
  EXPECT_EQ(*later.Find(Pod("a")), kFirst);
  EXPECT_EQ(*later.Take(Pod("a")), kFirst);
  EXPECT_EQ(*later.Find(Pod("c")), 0u) << "looking takes none";
}

TEST_F(UidBlocksTest, ABlockWhosePodIsGoneIsFree) {
  UidBlocks blocks(Uids(), kFirst, 65536);
  ASSERT_TRUE(blocks.Take(Pod("a")).ok());
  EXPECT_FALSE(blocks.Take(Pod("b")).ok());
  std::filesystem::remove(Pod("a"));
  EXPECT_EQ(*blocks.Take(Pod("b")), kFirst);
}

TEST_F(UidBlocksTest, ExhaustionSaysWhatToDo) {
  UidBlocks blocks(Uids(), kFirst, 65536 + 65535);
  ASSERT_TRUE(blocks.Take(Pod("a")).ok());
  const absl::Status status = blocks.Take(Pod("b")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("1 blocks"), HasSubstr("uid_count"), HasSubstr(Uids())));
}

TEST_F(UidBlocksTest, GivingBackNothingIsFine) {
  UidBlocks blocks(Uids(), kFirst, 65536);
  EXPECT_TRUE(blocks.GiveBack(Pod("a")).ok());
  ASSERT_TRUE(blocks.Take(Pod("a")).ok());
  EXPECT_TRUE(blocks.GiveBack(Pod("b")).ok());
  EXPECT_FALSE(blocks.Take(Pod("b")).ok());
}

TEST_F(UidBlocksTest, WhatIsNoBlockIsLeftAlone) {
  UidBlocks blocks(Uids(), kFirst, 65536);
  std::filesystem::create_directory(Uids());
  std::filesystem::create_symlink("/nowhere", Uids() + "/notes");
  // Of a daemon that had more.
  std::filesystem::create_symlink(Pod("a"), Uids() + "/7");
  EXPECT_EQ(*blocks.Take(Pod("a")), kFirst);
  EXPECT_TRUE(std::filesystem::is_symlink(Uids() + "/notes"));
  ASSERT_TRUE(blocks.GiveBack(Pod("a")).ok());
  EXPECT_FALSE(std::filesystem::is_symlink(Uids() + "/7"));
}

}  // namespace
}  // namespace vcd
