// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "core/pod/cri_log_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;

class ContainerLogTest : public testing::Test {
 protected:
  ContainerLogTest() {
    char name[] = "/tmp/vcd-test-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/main.log";
  }
  ~ContainerLogTest() override {
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }

  ContainerLog::Acknowledge Note() {
    return [this](StdStream stream, uint64_t offset) {
      (stream == StdStream::kStdout ? stdout_acknowledged_ : stderr_acknowledged_) = offset;
    };
  }

  // All that a reader gives until it waits or ends.
  static std::string Drain(OutputReader& reader, bool* ended = nullptr) {
    std::string all;
    bool go_on = true;
    while (go_on) {
      go_on = false;
      reader.Next([&](absl::StatusOr<std::optional<OutputChunk>> chunk) {
        if (chunk.ok() && chunk->has_value()) {
          all += (*chunk)->data;
          go_on = true;
        } else if (ended != nullptr) {
          *ended = chunk.ok();
        }
      });
    }
    return all;
  }

  std::string directory_, path_;
  uint64_t stdout_acknowledged_ = 0, stderr_acknowledged_ = 0;
};

TEST_F(ContainerLogTest, KeepsBytesExactlyAndAcknowledgesThem) {
  auto log = *ContainerLog::Create(path_, Note());
  const std::string binary("a\n\0b\nunfinished", 15);
  log->Append(StdStream::kStdout, 0, binary);
  log->Append(StdStream::kStderr, 0, "warning\n");
  log->Append(StdStream::kStdout, 15, " line\n");
  log->End();
  bool ended = false;
  EXPECT_EQ(Drain(*log->NewReader(OutputStart::kBeginning, true), &ended),
            std::string("a\n\0b\nunfinishedwarning\n line\n", 29));
  EXPECT_TRUE(ended);
  EXPECT_EQ(stdout_acknowledged_, 21u);
  EXPECT_EQ(stderr_acknowledged_, 8u);
}

TEST_F(ContainerLogTest, RepeatedBytesAreDropped) {
  auto log = *ContainerLog::Create(path_, Note());
  log->Append(StdStream::kStdout, 0, "abc");
  log->Append(StdStream::kStdout, 0, "abc");
  log->Append(StdStream::kStdout, 1, "bcd\n");
  log->End();
  EXPECT_EQ(Drain(*log->NewReader(OutputStart::kBeginning, true)), "abcd\n");
}

TEST_F(ContainerLogTest, NextDaemonGoesOnWhereTheFileEnds) {
  {
    auto log = *ContainerLog::Create(path_, Note());
    log->Append(StdStream::kStdout, 0, "one\ntwo");
    log->Append(StdStream::kStderr, 0, "err");
  }
  {
    std::ofstream torn(path_, std::ios::app);
    torn << "2026-01-01T00:00:00.000000000Z stdout F tor";
  }
  auto log = *ContainerLog::Resume(path_, Note());
  log->Append(StdStream::kStdout, 4, "two and three\n");
  log->End();
  EXPECT_EQ(Drain(*log->NewReader(OutputStart::kBeginning, true)), "one\ntwoerr and three\n");
}

TEST_F(ContainerLogTest, FollowerIsWokenByNewBytesAndByTheEnd) {
  auto log = *ContainerLog::Create(path_, Note());
  log->Append(StdStream::kStdout, 0, "old\n");
  auto reader = log->NewReader(OutputStart::kNow, true);
  std::string got;
  reader->Next([&](absl::StatusOr<std::optional<OutputChunk>> chunk) { got = (*chunk)->data; });
  EXPECT_EQ(got, "");
  log->Append(StdStream::kStdout, 4, "new\n");
  EXPECT_EQ(got, "new\n");
  bool ended = false;
  reader->Next([&](absl::StatusOr<std::optional<OutputChunk>> chunk) { ended = chunk.ok() && !chunk->has_value(); });
  EXPECT_FALSE(ended);
  log->End();
  EXPECT_TRUE(ended);
}

TEST_F(ContainerLogTest, DestroyedReaderIsNotCalled) {
  auto log = *ContainerLog::Create(path_, Note());
  auto reader = log->NewReader(OutputStart::kNow, true);
  bool called = false;
  reader->Next([&](absl::StatusOr<std::optional<OutputChunk>>) { called = true; });
  reader.reset();
  log->Append(StdStream::kStdout, 0, "x");
  EXPECT_FALSE(called);
}

TEST_F(ContainerLogTest, TailCountsLinesOfOutput) {
  auto log = *ContainerLog::Create(path_, Note());
  log->Append(StdStream::kStdout, 0, "1\n2\n3");
  log->Append(StdStream::kStdout, 5, "3\n4\n");
  EXPECT_EQ(Drain(*log->NewTailReader(2, false)), "33\n4\n");
  EXPECT_EQ(Drain(*log->NewTailReader(100, false)), "1\n2\n33\n4\n");
}

TEST_F(ContainerLogTest, WithoutFollowItEndsWhereTheFileEndsNow) {
  auto log = *ContainerLog::Create(path_, Note());
  log->Append(StdStream::kStdout, 0, "now\n");
  auto reader = log->NewReader(OutputStart::kBeginning, false);
  log->Append(StdStream::kStdout, 4, "later\n");
  bool ended = false;
  EXPECT_EQ(Drain(*reader, &ended), "now\n");
  EXPECT_TRUE(ended);
}

TEST(CriLogFormatTest, RecordsAreThoseOfTheInterface) {
  EXPECT_EQ(FormatCriLog(StdStream::kStderr, "a\n\nb", absl::FromUnixNanos(1)),
            "1970-01-01T00:00:00.000000001Z stderr F a\n"
            "1970-01-01T00:00:00.000000001Z stderr F \n"
            "1970-01-01T00:00:00.000000001Z stderr P b\n");
}

TEST(CriLogFormatTest, DamagedRecordsAreSkippedOver) {
  EXPECT_FALSE(ParseCriRecord("no newline").has_value());
  for (const char* damaged : {"\n", "x\n", "x stdout\n", "x stdwhat F a\n", "t stdout \n"}) {
    const std::optional<CriRecord> record = ParseCriRecord(damaged);
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->chunk.data, "");
    EXPECT_EQ(record->size, std::string(damaged).size());
  }
}

}  // namespace
}  // namespace vcd
