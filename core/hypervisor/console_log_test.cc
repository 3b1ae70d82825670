// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/console_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

class ConsoleLogTest : public testing::Test {
 protected:
  std::string ReadAll(ConsoleCursor& cursor) {
    std::string text;
    while (true) {
      const absl::StatusOr<std::string> piece = cursor.Read(7);
      EXPECT_TRUE(piece.ok()) << piece.status();
      if (!piece.ok() || piece->empty()) return text;
      text += *piece;
    }
  }
  std::string ReadAll(uint64_t tail_bytes = 0) {
    ConsoleCursor cursor(directory_.path(), tail_bytes);
    return ReadAll(cursor);
  }
  uint64_t Used() const {
    uint64_t used = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory_.path())) used += file.file_size();
    return used;
  }

  TemporaryDirectory directory_;
};

TEST_F(ConsoleLogTest, KeepsTheEndWithinItsBound) {
  ConsoleLog log(directory_.path(), 20);
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    const std::string line = absl::StrCat("line ", i, "\n");
    log.Append(line);
    all += line;
    ASSERT_LE(Used(), 20u);
  }
  const std::string kept = ReadAll();
  EXPECT_GE(kept.size(), 10u);
  EXPECT_EQ(kept, all.substr(all.size() - kept.size()));
}

TEST_F(ConsoleLogTest, AFloodInOnePieceIsBoundedToo) {
  ConsoleLog log(directory_.path(), 20);
  log.Append(std::string(1000, 'x') + "the end");
  EXPECT_LE(Used(), 20u);
  EXPECT_THAT(ReadAll(), testing::EndsWith("the end"));
}

TEST_F(ConsoleLogTest, ALaterDaemonGoesOn) {
  ConsoleLog(directory_.path(), 100).Append("before ");
  ConsoleLog(directory_.path(), 100).Append("after");
  EXPECT_EQ(ReadAll(), "before after");
}

TEST_F(ConsoleLogTest, TailReachesBackIntoTheOlderFile) {
  ConsoleLog log(directory_.path(), 20);
  log.Append("0123456789abcde");
  EXPECT_EQ(ReadAll(), "0123456789abcde");
  EXPECT_EQ(ReadAll(3), "cde");
  EXPECT_EQ(ReadAll(5), "abcde");
  EXPECT_EQ(ReadAll(7), "89abcde");
  EXPECT_EQ(ReadAll(100), "0123456789abcde");
  EXPECT_EQ(ConsoleEnd(directory_.path(), 100), "0123456789\nabcde");
}

TEST_F(ConsoleLogTest, ACursorFollowsFromFileToFile) {
  ConsoleLog log(directory_.path(), 20);
  ConsoleCursor cursor(directory_.path(), 0);
  EXPECT_EQ(ReadAll(cursor), "") << "there is no file yet";
  std::string all, read;
  for (int i = 0; i < 50; ++i) {
    const std::string piece = absl::StrCat(i, ",");
    log.Append(piece);
    all += piece;
    if (i % 2 == 0) read += ReadAll(cursor);
  }
  read += ReadAll(cursor);
  EXPECT_EQ(read, all);
}

TEST_F(ConsoleLogTest, ACursorThatIsBehindGoesOnWithTheOldest) {
  ConsoleLog log(directory_.path(), 20);
  log.Append("a");
  ConsoleCursor cursor(directory_.path(), 0);
  EXPECT_EQ(ReadAll(cursor), "a");
  log.Append(std::string(100, 'x') + "0123456789");
  EXPECT_THAT(ReadAll(cursor), testing::EndsWith("0123456789"));
  EXPECT_EQ(ReadAll(cursor), "");
}

TEST_F(ConsoleLogTest, MovesWithAllThatIsKept) {
  const std::string from = directory_.path() + "/from", to = directory_.path() + "/to";
  std::filesystem::create_directory(from);
  std::filesystem::create_directory(to);
  ConsoleLog(to, 20).Append("of another machine");
  EXPECT_TRUE(MoveConsole(from, to).ok());
  EXPECT_EQ(ConsoleEnd(to, 100), "") << "nothing was said";
  ConsoleLog(from, 20).Append("0123456789abcdef");
  ASSERT_TRUE(MoveConsole(from, to).ok());
  EXPECT_EQ(ConsoleEnd(from, 100), "");
  EXPECT_THAT(ConsoleEnd(to, 100), testing::EndsWith("abcdef"));
}

TEST_F(ConsoleLogTest, ACursorFindsTheNextMachines) {
  ConsoleLog(directory_.path(), 20).Append("first");
  ConsoleCursor cursor(directory_.path(), 0);
  EXPECT_EQ(ReadAll(cursor), "first");
  ASSERT_TRUE(RemoveConsole(directory_.path()).ok());
  EXPECT_EQ(ReadAll(cursor), "");
  ConsoleLog(directory_.path(), 20).Append("second");
  EXPECT_EQ(ReadAll(cursor), "second");
}

}  // namespace
}  // namespace vcd
