// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/pod/testing/failing_log_disk.h"
#include "core/pod/testing/inline_log_threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ContainerLogTest : public testing::Test {
 protected:
  ContainerLogTest() {
    char name[] = "/tmp/vcd-test-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/main.log";
  }
  ~ContainerLogTest() override { std::filesystem::remove_all(directory_); }

  ContainerLog::Options NewOptions() {
    ContainerLog::Options options;
    options.path = path_;
    options.bounds = bounds_;
    options.disk = &disk_;
    options.threads = &threads_;
    options.acknowledge = [this](StdStream stream, uint64_t offset) {
      (stream == StdStream::kStdout ? stdout_acknowledged_ : stderr_acknowledged_) = offset;
    };
    options.report = [this](const std::string& what) { reports_.push_back(what); };
    return options;
  }

  std::unique_ptr<OutputReader> Tail(ContainerLog& log, uint32_t lines, bool follow = false) {
    LogSelection selection;
    selection.tail_lines = lines;
    selection.follow = follow;
    return log.NewReader(selection);
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
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
          if ((*chunk)->lost_bytes != 0) all += absl::StrCat("<", (*chunk)->lost_bytes, " lost>");
          go_on = true;
        } else if (ended != nullptr) {
          *ended = chunk.ok();
        }
      });
    }
    return all;
  }

  std::string directory_, path_;
  LogBounds bounds_;
  FailingLogDisk disk_;
  InlineLogThreads threads_;
  std::vector<std::string> reports_;
  uint64_t stdout_acknowledged_ = 0, stderr_acknowledged_ = 0;
};

TEST_F(ContainerLogTest, KeepsBytesExactlyAndAcknowledgesThem) {
  auto log = *ContainerLog::Create(NewOptions());
  const std::string binary("a\n\0b\nunfinished", 15);
  log->Append(StdStream::kStdout, 0, binary);
  log->Append(StdStream::kStderr, 0, "warning\n");
  log->Append(StdStream::kStdout, 15, " line\n");
  log->End();
  bool ended = false;
  EXPECT_EQ(Drain(*log->NewReader(OutputStart::kBeginning), &ended),
            std::string("a\n\0b\nunfinishedwarning\n line\n", 29));
  EXPECT_TRUE(ended);
  EXPECT_EQ(stdout_acknowledged_, 21u);
  EXPECT_EQ(stderr_acknowledged_, 8u);
}

TEST_F(ContainerLogTest, RepeatedBytesAreDropped) {
  auto log = *ContainerLog::Create(NewOptions());
  log->Append(StdStream::kStdout, 0, "abc");
  log->Append(StdStream::kStdout, 0, "abc");
  log->Append(StdStream::kStdout, 1, "bcd\n");
  log->End();
  EXPECT_EQ(Drain(*log->NewReader(OutputStart::kBeginning)), "abcd\n");
}

TEST_F(ContainerLogTest, NextDaemonGoesOnWhereTheFileEnds) {
  {
    auto log = *ContainerLog::Create(NewOptions());
    log->Append(StdStream::kStdout, 0, "one\ntwo");
    log->Append(StdStream::kStderr, 0, "err");
  }
  {
    std::ofstream torn(path_, std::ios::app);
    torn << "2026-01-01T00:00:00.000000000Z stdout F tor";
  }
  auto log = *ContainerLog::Resume(NewOptions());
  log->Append(StdStream::kStdout, 4, "two and three\n");
  log->End();
  EXPECT_EQ(Drain(*log->NewReader(OutputStart::kBeginning)), "one\ntwoerr and three\n");
}

TEST_F(ContainerLogTest, FollowerIsWokenByNewBytesAndByTheEnd) {
  auto log = *ContainerLog::Create(NewOptions());
  log->Append(StdStream::kStdout, 0, "old\n");
  auto reader = log->NewReader(OutputStart::kNow);
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
  auto log = *ContainerLog::Create(NewOptions());
  auto reader = log->NewReader(OutputStart::kNow);
  bool called = false;
  reader->Next([&](absl::StatusOr<std::optional<OutputChunk>>) { called = true; });
  reader.reset();
  log->Append(StdStream::kStdout, 0, "x");
  EXPECT_FALSE(called);
}

TEST_F(ContainerLogTest, TailCountsLinesOfOutput) {
  auto log = *ContainerLog::Create(NewOptions());
  log->Append(StdStream::kStdout, 0, "1\n2\n3");
  log->Append(StdStream::kStdout, 5, "3\n4\n");
  EXPECT_EQ(Drain(*Tail(*log, 2)), "33\n4\n");
  EXPECT_EQ(Drain(*Tail(*log, 100)), "1\n2\n33\n4\n");
  EXPECT_EQ(Drain(*Tail(*log, 0)), "");
}

TEST_F(ContainerLogTest, WithoutFollowItEndsWhereTheFileEndsNow) {
  auto log = *ContainerLog::Create(NewOptions());
  log->Append(StdStream::kStdout, 0, "now\n");
  auto reader = log->NewReader(LogSelection());
  log->Append(StdStream::kStdout, 4, "later\n");
  bool ended = false;
  EXPECT_EQ(Drain(*reader, &ended), "now\n");
  EXPECT_TRUE(ended);
}

TEST_F(ContainerLogTest, EarlierRunsStayUntilTheyAreTheOldest) {
  {
    auto first = *ContainerLog::Create(NewOptions());
    first->Append(StdStream::kStdout, 0, "first\n");
  }
  auto second = *ContainerLog::Create(NewOptions());
  EXPECT_EQ(Drain(*second->NewReader(LogSelection())), "first\n");
  second->Append(StdStream::kStdout, 0, "second\n");
  second->End();
  EXPECT_EQ(Drain(*second->NewReader(OutputStart::kBeginning)), "second\n") << "an attach sees its run alone";
  EXPECT_EQ(Drain(*second->NewReader(LogSelection())), "first\nsecond\n");
}

TEST_F(ContainerLogTest, RunThatPrintedNothingGoesOnAtZero) {
  {
    auto first = *ContainerLog::Create(NewOptions());
    first->Append(StdStream::kStdout, 0, "first\n");
  }
  { auto second = *ContainerLog::Create(NewOptions()); }
  auto resumed = *ContainerLog::Resume(NewOptions());
  resumed->Append(StdStream::kStdout, 0, "x\n");
  EXPECT_EQ(Drain(*resumed->NewReader(LogSelection())), "first\nx\n");
}

TEST_F(ContainerLogTest, KeepsNoMoreThanItsBounds) {
  bounds_ = {1000, 3};
  auto log = *ContainerLog::Create(NewOptions());
  for (uint64_t i = 0; i < 300; ++i) log->Append(StdStream::kStdout, i * 4, absl::StrCat(i + 100, "\n"));
  log->End();
  EXPECT_THAT(Names(), ElementsAre("main.log", testing::StartsWith("main.log."), testing::StartsWith("main.log.")));
  for (const std::string& name : Names()) EXPECT_LE(std::filesystem::file_size(directory_ + "/" + name), 1000u);
  const std::string kept = Drain(*log->NewReader(LogSelection()));
  EXPECT_THAT(kept, testing::EndsWith("398\n399\n"));
  EXPECT_EQ(Drain(*Tail(*log, 40)), kept.substr(kept.size() - 160)) << "over several files";
  auto ended = *ContainerLog::OpenEnded(path_);
  EXPECT_EQ(Drain(*ended->NewReader(LogSelection())), kept);
  EXPECT_EQ(Drain(*Tail(*ended, 40)), kept.substr(kept.size() - 160));
}

TEST_F(ContainerLogTest, OneWriteThatFillsManyFilesIsSplit) {
  bounds_ = {1000, 1000};
  auto log = *ContainerLog::Create(NewOptions());
  const std::string newlines(500, '\n');
  log->Append(StdStream::kStderr, 0, newlines);
  EXPECT_GT(Names().size(), 20u);
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())), newlines);
}

TEST_F(ContainerLogTest, FollowerGoesOnOverRotation) {
  bounds_ = {1000, 3};
  auto log = *ContainerLog::Create(NewOptions());
  LogSelection selection;
  selection.follow = true;
  auto reader = log->NewReader(selection);
  std::string got, wanted;
  std::function<void(absl::StatusOr<std::optional<OutputChunk>>)> take = [&](auto chunk) {
    if (chunk.ok() && chunk->has_value()) got += (*chunk)->data;
  };
  for (int i = 0; i < 200; ++i) {
    reader->Next(take);
    const std::string line = absl::StrCat("line ", i, "\n");
    log->Append(StdStream::kStdout, wanted.size(), line);
    wanted += line;
  }
  EXPECT_EQ(got, wanted);
}

TEST_F(ContainerLogTest, ReaderThatFallsBehindIsToldHowMuch) {
  bounds_ = {1000, 2};
  auto log = *ContainerLog::Create(NewOptions());
  log->Append(StdStream::kStdout, 0, "begin\n");
  auto reader = log->NewReader(OutputStart::kBeginning);
  reader->Next([](auto chunk) { EXPECT_EQ((*chunk)->data, "begin\n"); });
  uint64_t offset = 6;
  for (int i = 0; i < 200; ++i, offset += 4) log->Append(StdStream::kStdout, offset, "xyz\n");
  log->End();
  uint64_t had = 6, lost = 0;
  for (bool more = true; more;) {
    reader->Next([&](absl::StatusOr<std::optional<OutputChunk>> chunk) {
      ASSERT_TRUE(chunk.ok()) << chunk.status();
      more = chunk->has_value();
      if (!more) return;
      had += (*chunk)->data.size();
      lost += (*chunk)->lost_bytes;
    });
  }
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(had + lost, offset);
}

TEST_F(ContainerLogTest, FullDiskDropsOutputAndTellsSoLater) {
  auto log = *ContainerLog::Create(NewOptions());
  log->Append(StdStream::kStdout, 0, "one\n");
  disk_.FillUp(/*room=*/10);  // A part of a record still fits.
  log->Append(StdStream::kStdout, 4, "two\n");
  log->Append(StdStream::kStderr, 0, "err\n");
  EXPECT_EQ(stdout_acknowledged_, 8u) << "the container goes on";
  EXPECT_EQ(stderr_acknowledged_, 4u);
  EXPECT_THAT(reports_, ElementsAre(HasSubstr("No space left on device; output is dropped")));
  disk_.MakeRoom();
  log->Append(StdStream::kStdout, 8, "three\n");
  log->Append(StdStream::kStderr, 4, "more\n");
  EXPECT_THAT(reports_, ElementsAre(testing::_, HasSubstr("is written again")));
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())), "one\n<4 lost>three\n<4 lost>more\n");
  log = *ContainerLog::Resume(NewOptions());
  log->Append(StdStream::kStdout, 14, "four\n");
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())), "one\n<4 lost>three\n<4 lost>more\nfour\n");
}

TEST_F(ContainerLogTest, FullDiskWhileItRotatesLosesTheRestAlone) {
  bounds_ = {400, 40};
  auto log = *ContainerLog::Create(NewOptions());
  uint64_t offset = 0;
  for (; offset < 40; offset += 4) {
    disk_.FillUp(/*room=*/0);
    log->Append(StdStream::kStdout, offset, "out\n");
    disk_.MakeRoom();
    log->Append(StdStream::kStdout, offset += 4, "put\n");
  }
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())),
            "<4 lost>put\n<4 lost>put\n<4 lost>put\n<4 lost>put\n<4 lost>put\n");
}

TEST_F(ContainerLogTest, WhatIsLostAtTheEndIsCountedOnceThereIsRoom) {
  auto log = *ContainerLog::Create(NewOptions());
  log->Append(StdStream::kStdout, 0, "one\n");
  disk_.FillUp(/*room=*/10);
  log->Append(StdStream::kStdout, 4, "two\n");
  log->Append(StdStream::kStderr, 0, "error\n");
  disk_.MakeRoom();
  log->End();
  log->End();
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())), "one\n<4 lost><6 lost>");
  EXPECT_EQ(Drain(*(*ContainerLog::OpenEnded(path_))->NewReader(LogSelection())), "one\n<4 lost><6 lost>");
}

TEST_F(ContainerLogTest, DiskThatIsFullAtTheEndHidesNoLoss) {
  auto log = *ContainerLog::Create(NewOptions());
  log->Append(StdStream::kStdout, 0, "one\n");
  auto follower = log->NewReader(OutputStart::kBeginning);
  disk_.FillUp(/*room=*/0);
  log->Append(StdStream::kStdout, 4, "two\n");
  log->Append(StdStream::kStderr, 0, "error\n");
  log->End();
  bool ended = false;
  EXPECT_EQ(Drain(*follower, &ended), "one\n<4 lost><6 lost>");
  EXPECT_TRUE(ended);
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())), "one\n<4 lost><6 lost>");
  LogSelection later;
  later.since = absl::InfiniteFuture();
  EXPECT_EQ(Drain(*log->NewReader(later)), "");
}

TEST_F(ContainerLogTest, WhatAnEarlierDaemonCouldNotStoreIsCounted) {
  {
    auto log = *ContainerLog::Create(NewOptions());
    log->Append(StdStream::kStdout, 0, "one\n");
    disk_.FillUp(/*room=*/0);
    log->Append(StdStream::kStdout, 4, "two\n");
    disk_.MakeRoom();
  }
  ContainerLog::Options options = NewOptions();
  options.stdout_offset = stdout_acknowledged_;
  auto log = *ContainerLog::Resume(options);
  log->End();
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())), "one\n<4 lost>");
}

TEST_F(ContainerLogTest, FullDiskKeepsNoContainerFromItsStart) {
  for (const bool has_log : {false, true}) {
    SCOPED_TRACE(has_log);
    reports_.clear();
    if (has_log) (*ContainerLog::Create(NewOptions()))->Append(StdStream::kStdout, 0, "first\n");
    disk_.FillUp(/*room=*/20);  // A part of the mark still fits.
    absl::StatusOr<std::shared_ptr<ContainerLog>> log = ContainerLog::Create(NewOptions());
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_THAT(reports_, ElementsAre(HasSubstr("No space left on device; output is dropped")));
    (*log)->Append(StdStream::kStdout, 0, "lost\n");
    EXPECT_EQ(stdout_acknowledged_, 5u);
    EXPECT_EQ(Drain(*Tail(**log, 5)), has_log ? "first\n" : "");
    disk_.MakeRoom();
    (*log)->Append(StdStream::kStdout, 5, "second\n");
    EXPECT_EQ(Drain(*(*log)->NewReader(OutputStart::kBeginning)), "<5 lost>second\n");
    EXPECT_EQ(Drain(*(*log)->NewReader(LogSelection())), has_log ? "first\n<5 lost>second\n" : "<5 lost>second\n");
    EXPECT_THAT(Names(), ElementsAre("main.log"));
    (*log)->End();
    std::filesystem::remove(path_);
  }
}

TEST_F(ContainerLogTest, OffsetsOfTheRunBeforeAreNotThoseOfOneWithoutAMark) {
  for (const bool rotates : {false, true}) {
    for (const bool stays_full : {false, true}) {
      SCOPED_TRACE(testing::Message() << "rotates " << rotates << ", stays full " << stays_full);
      for (const std::string& name : Names()) std::filesystem::remove(directory_ + "/" + name);
      bounds_.max_file_bytes = rotates ? 200 : 100000;
      const std::string first = std::string(300, 'x') + "\n";
      (*ContainerLog::Create(NewOptions()))->Append(StdStream::kStdout, 0, first);
      disk_.FillUp(/*room=*/0);
      ASSERT_TRUE(ContainerLog::Create(NewOptions()).ok());
      if (!stays_full) disk_.MakeRoom();
      // Another daemon, to which the guest tells all that was not acknowledged.
      auto log = *ContainerLog::Resume(NewOptions());
      disk_.MakeRoom();
      log->Append(StdStream::kStdout, 0, "second\n");
      EXPECT_EQ(Drain(*log->NewReader(OutputStart::kBeginning)), "second\n");
      log = *ContainerLog::Resume(NewOptions());
      log->Append(StdStream::kStdout, 0, "second\nand on\n");
      EXPECT_EQ(Drain(*log->NewReader(LogSelection())), first + "second\nand on\n");
      EXPECT_THAT(Names(), testing::Not(testing::Contains("main.log.run")));
    }
  }
}

TEST_F(ContainerLogTest, NoteOfARunThatHasItsMarkMeansNothing) {
  (*ContainerLog::Create(NewOptions()))->Append(StdStream::kStdout, 0, "first\n");
  disk_.FillUp(/*room=*/0);
  auto log = *ContainerLog::Create(NewOptions());
  disk_.MakeRoom();
  disk_.DieAt(3);  // The mark is written, and its note still there.
  log->Append(StdStream::kStdout, 0, "second\n");
  ASSERT_TRUE(disk_.dead());
  disk_.Revive();
  EXPECT_THAT(Names(), testing::Contains("main.log.run"));
  log = *ContainerLog::Resume(NewOptions());
  log->Append(StdStream::kStdout, 0, "second\nand on\n");
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())), "first\nsecond\nand on\n");
}

// Runs one story with a daemon that is killed before each operation on the disk in turn, also in the middle of a write,
// and goes on with another: every byte is there once. The disk is as quick as the guest, or several pieces behind.
TEST_F(ContainerLogTest, KilledAtAnyOperationItKeepsEveryByteOnce) {
  bounds_ = {600, 1000};
  std::vector<std::string> pieces;
  for (int i = 0; i < 40; ++i) pieces.push_back(absl::StrCat("piece ", i, i % 3 == 0 ? "" : "\n"));
  std::string wanted;
  for (const std::string& piece : pieces) wanted += piece;
  for (const size_t behind : {size_t{0}, size_t{1}, size_t{7}}) {
    int crashes = 0;
    for (int crash_at = 1;; ++crash_at) {
      SCOPED_TRACE(testing::Message() << "crash at " << crash_at << ", " << behind << " behind");
      for (const std::string& name : Names()) std::filesystem::remove(directory_ + "/" + name);
      stdout_acknowledged_ = 0;
      disk_.DieAt(crash_at);
      absl::StatusOr<std::shared_ptr<ContainerLog>> log = ContainerLog::Create(NewOptions());
      if (behind != 0) threads_.Wait();
      uint64_t acknowledged = 0, sent = 0;
      for (size_t i = 0; i < pieces.size() && log.ok(); ++i) {
        (*log)->Append(StdStream::kStdout, sent, pieces[i]);
        sent += pieces[i].size();
        while ((behind == 0 || i % behind == 0) && threads_.RunOne() && !disk_.dead()) {
        }
        if (disk_.dead()) break;
        acknowledged = stdout_acknowledged_;
      }
      while (!disk_.dead() && threads_.RunOne()) {
      }
      const bool died = disk_.dead();
      disk_.Revive();
      threads_.Forget();
      if (!log.ok()) {
        ++crashes;
        continue;  // The container was not made.
      }
      if (died) {
        ++crashes;
        log = *ContainerLog::Resume(NewOptions());
        // The guest repeats all that was not acknowledged, in other pieces.
        (*log)->Append(StdStream::kStdout, acknowledged, wanted.substr(acknowledged, 5));
        (*log)->Append(StdStream::kStdout, acknowledged, wanted.substr(acknowledged));
        while (threads_.RunOne()) {
        }
      }
      ASSERT_EQ(Drain(*(*log)->NewReader(LogSelection())), wanted);
      ASSERT_EQ(Drain(*(*log)->NewReader(OutputStart::kBeginning)), wanted);
      if (!died) break;
    }
    EXPECT_GT(crashes, 50);
  }
}

TEST_F(ContainerLogTest, LogOfADaemonWithoutMarksGoesOn) {
  {
    std::ofstream old(path_);
    old << "2026-01-01T00:00:00.000000000Z stdout F old\n2026-01-01T00:00:00.000000000Z stderr P e\n";
  }
  auto log = *ContainerLog::Resume(NewOptions());
  log->Append(StdStream::kStdout, 2, "d\nnew\n");
  log->Append(StdStream::kStderr, 1, "rr\n");
  EXPECT_EQ(Drain(*log->NewReader(LogSelection())), "old\nenew\nrr\n");
  EXPECT_EQ(Drain(*log->NewReader(OutputStart::kBeginning)), "old\nenew\nrr\n");
}

}  // namespace
}  // namespace vcd
