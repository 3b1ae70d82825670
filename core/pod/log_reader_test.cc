// SPDX-License-Identifier: Apache-2.0
#include "core/pod/log_reader.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/pod/log_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

// One line a second from second 1 on: "line 1" …
class LogReaderTest : public testing::Test {
 protected:
  LogReaderTest() {
    char name[] = "/tmp/vcd-test-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/main.log";
  }
  ~LogReaderTest() override { std::filesystem::remove_all(directory_); }

  void WriteLines(const LogBounds& bounds, int lines, const std::string& suffix = "") {
    auto opened = LogWriter::Open(path_, bounds, LogDisk::Posix());
    ASSERT_TRUE(opened.ok()) << opened.status();
    writer_ = *std::move(opened);
    uint64_t offset = 0;
    for (int i = 1; i <= lines; ++i) {
      const std::string line = absl::StrCat("line ", i, suffix, "\n");
      offset += line.size();
      ASSERT_TRUE(writer_->Write(StdStream::kStdout, line, offset, absl::FromUnixSeconds(i)).ok());
    }
  }

  std::string ReadFrom(LogPosition begin, absl::Time since = absl::InfinitePast()) {
    LogReader reader(path_, begin, writer_->end(), since);
    std::string all;
    while (true) {
      absl::StatusOr<OutputChunk> chunk = reader.Read(writer_->end());
      EXPECT_TRUE(chunk.ok()) << chunk.status();
      if (!chunk.ok() || (chunk->data.empty() && chunk->lost_bytes == 0)) return all;
      all += chunk->data;
    }
  }

  std::string FirstLineSince(int seconds) {
    const std::string text = ReadFrom(*FindSince(path_, writer_->end(), absl::FromUnixSeconds(seconds)));
    return text.substr(0, text.find('\n'));
  }

  std::string directory_, path_;
  std::unique_ptr<LogWriter> writer_;
};

TEST_F(LogReaderTest, FindsEverySecondOverSeveralFiles) {
  WriteLines({700, 1000}, 100);
  EXPECT_GT(writer_->end().file, 5u);
  EXPECT_EQ(FirstLineSince(-5), "line 1");
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(FirstLineSince(i), absl::StrCat("line ", i));
  EXPECT_EQ(FirstLineSince(101), "");
}

TEST_F(LogReaderTest, WhatIsNoFileIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0640), 0);
  EXPECT_EQ(OpenLogToRead(path_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(LogWriter::Open(path_, {700, 1000}, LogDisk::Posix()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(LogReaderTest, FindsEverySecondInOneFile) {
  WriteLines({1 << 20, 2}, 100);
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(FirstLineSince(i), absl::StrCat("line ", i));
}

TEST_F(LogReaderTest, FindsLinesLongerThanABlock) {
  WriteLines({1 << 20, 10}, 20, std::string(100000, 'x'));
  for (int i = 1; i <= 20; ++i) {
    EXPECT_THAT(FirstLineSince(i), testing::StartsWith(absl::StrCat("line ", i, "x")));
    EXPECT_THAT(ReadFrom(*FindLastLines(path_, writer_->end(), i)),
                testing::StartsWith(absl::StrCat("line ", 21 - i, "x")));
  }
}

TEST_F(LogReaderTest, PassesOverWhatCameBefore) {
  WriteLines({1 << 20, 2}, 5);
  EXPECT_EQ(ReadFrom({1, 0}, absl::FromUnixSeconds(4)), "line 4\nline 5\n");
}

TEST_F(LogReaderTest, FindsTheLastLinesOfALongFile) {
  WriteLines({1 << 20, 2}, 2000);
  EXPECT_EQ(ReadFrom(*FindLastLines(path_, writer_->end(), 3)), "line 1998\nline 1999\nline 2000\n");
}

TEST_F(LogReaderTest, NextDaemonNeedsTheEndOfTheFileAlone) {
  WriteLines({64 << 20, 2}, 30000, std::string(50, 'x'));
  const uint64_t offset = writer_->offset(StdStream::kStdout);
  const LogPosition end = writer_->end();
  EXPECT_GT(end.at, 2u << 20);
  // Damage everything but the last MiB; what is counted is after the last mark.
  {
    absl::StatusOr<UniqueFd> file = LogDisk::Posix().OpenToAppend(path_);
    ASSERT_TRUE(file.ok());
    std::string tail;
    while (*ReadLogFile(file->get(), end.at - (1 << 20) + tail.size(), 1 << 20, path_, &tail) != 0) {
    }
    ASSERT_TRUE(LogDisk::Posix().Truncate(file->get(), 0, path_).ok());
    ASSERT_TRUE(LogDisk::Posix().Truncate(file->get(), end.at - (1 << 20), path_).ok());
    ASSERT_TRUE(LogDisk::Posix().Append(file->get(), tail, path_).ok());
  }
  auto resumed = *LogWriter::Open(path_, {64 << 20, 2}, LogDisk::Posix());
  EXPECT_EQ(resumed->offset(StdStream::kStdout), offset);
  EXPECT_EQ(resumed->end(), end);
}

}  // namespace
}  // namespace vcd
