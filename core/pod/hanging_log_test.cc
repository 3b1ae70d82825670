// SPDX-License-Identifier: Apache-2.0
// Logs whose disk does not answer.
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "core/os/testing/temporary_directory.h"
#include "core/pod/container_log.h"
#include "core/pod/testing/hanging_log_disk.h"
#include "core/pod/testing/inline_log_threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::HasSubstr;

CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }

// What a log acknowledges, for whoever waits for it.
class Acknowledged {
 public:
  void Set(StdStream stream, uint64_t offset) {
    MutexLock lock(&mu_);
    offsets_[stream] = offset;
    changed_.NotifyAll();
  }
  uint64_t Get(StdStream stream) {
    MutexLock lock(&mu_);
    return offsets_[stream];
  }
  void Await(StdStream stream, uint64_t offset) {
    MutexLock lock(&mu_);
    while (offsets_[stream] < offset) changed_.Wait(&mu_);
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::map<StdStream, uint64_t> offsets_ ABSL_GUARDED_BY(mu_);
};

class HangingLogTest : public testing::Test {
 protected:
  // The end of threads_ waits for what hangs.
  ~HangingLogTest() override { disk_.AnswerAll(); }

  ContainerLog::Options NewOptions(const std::string& name, LogThreads& threads) {
    ContainerLog::Options options;
    options.path = absl::StrCat(directory_.path(), "/", name, ".log");
    options.acknowledge = [this, name](StdStream stream, uint64_t offset) { acknowledged_[name].Set(stream, offset); };
    options.report = [](const std::string&) {};
    options.disk = &disk_;
    options.threads = &threads;
    return options;
  }
  std::shared_ptr<ContainerLog> Create(const std::string& name, LogThreads& threads) {
    (void)acknowledged_[name];  // Only looked up from now on.
    return *ContainerLog::Create(NewOptions(name, threads));
  }

  static void AwaitWritten(ContainerLog& log) {
    Completion<bool> written;
    log.WhenWritten([written] { written.Set(true); });
    ASSERT_TRUE(written.Wait(Soon(), "the log").ok());
  }

  // All that a reader gives up to the process's end.
  static std::string ReadToEnd(OutputReader& reader) {
    std::string all;
    while (true) {
      Completion<std::optional<OutputChunk>> next;
      reader.Next([next](absl::StatusOr<std::optional<OutputChunk>> chunk) { next.Set(std::move(chunk)); });
      const absl::StatusOr<std::optional<OutputChunk>> chunk = next.Wait(Soon(), "output");
      EXPECT_TRUE(chunk.ok()) << chunk.status();
      if (!chunk.ok() || !chunk->has_value()) return all;
      all += (*chunk)->data;
      if ((*chunk)->lost_bytes != 0) absl::StrAppend(&all, "<", (*chunk)->lost_bytes, " lost>");
    }
  }

  TemporaryDirectory directory_;
  std::map<std::string, Acknowledged> acknowledged_;
  HangingLogDisk disk_;
  LogThreads threads_;
  InlineLogThreads stepped_;
};

TEST_F(HangingLogTest, HoldsUpNobodyAndAcknowledgesNothing) {
  auto hung = Create("hung", threads_);
  auto well = Create("well", threads_);
  disk_.Hang("hung");
  hung->Append(StdStream::kStdout, 0, "one\n");
  disk_.AwaitHanging(1);
  hung->Append(StdStream::kStderr, 0, "two\n");
  hung->Append(StdStream::kStdout, 4, "three\n");
  well->Append(StdStream::kStdout, 0, "well\n");
  acknowledged_["well"].Await(StdStream::kStdout, 5);
  EXPECT_EQ(acknowledged_["hung"].Get(StdStream::kStdout), 0u);
  EXPECT_EQ(acknowledged_["hung"].Get(StdStream::kStderr), 0u);
  // The guest has been told of none, and repeats them to another session: nor is it now.
  hung->Append(StdStream::kStdout, 0, "one\nthree\n");
  EXPECT_EQ(acknowledged_["hung"].Get(StdStream::kStdout), 0u);
  hung->End();
  disk_.AnswerAll();
  EXPECT_EQ(ReadToEnd(*hung->NewReader(OutputStart::kBeginning)), "one\ntwo\nthree\n") << "in the order they came in";
  EXPECT_EQ(acknowledged_["hung"].Get(StdStream::kStdout), 10u);
  EXPECT_EQ(acknowledged_["hung"].Get(StdStream::kStderr), 4u);
  hung->Append(StdStream::kStdout, 4, "three\n");
  EXPECT_EQ(acknowledged_["hung"].Get(StdStream::kStdout), 10u);
}

TEST_F(HangingLogTest, AcknowledgesWhatIsWrittenAndNoMore) {
  auto log = Create("log", stepped_);
  stepped_.Wait();
  log->Append(StdStream::kStdout, 0, "one\n");
  log->Append(StdStream::kStdout, 4, "two\n");
  log->Append(StdStream::kStderr, 0, "three\n");
  EXPECT_EQ(stepped_.waiting(), 1u) << "one wakes a thread for all of them";
  EXPECT_EQ(acknowledged_["log"].Get(StdStream::kStdout), 0u);
  ASSERT_TRUE(stepped_.RunOne());
  EXPECT_EQ(acknowledged_["log"].Get(StdStream::kStdout), 8u);
  EXPECT_EQ(acknowledged_["log"].Get(StdStream::kStderr), 6u);
  EXPECT_FALSE(stepped_.RunOne());
}

TEST_F(HangingLogTest, LogIsReadUpToWhatHasComeWhenItIsAskedFor) {
  auto log = Create("log", stepped_);
  log->Append(StdStream::kStdout, 0, "old\n");
  stepped_.Wait();
  log->Append(StdStream::kStdout, 4, "last\n");
  LogSelection last;
  last.tail_lines = 1;
  auto reader = log->NewReader(last);
  std::vector<std::string> got;
  bool ended = false;
  std::function<void(absl::StatusOr<std::optional<OutputChunk>>)> take = [&](auto chunk) {
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    if (!chunk->has_value()) {
      ended = true;
      return;
    }
    got.push_back((*chunk)->data);
    reader->Next(take);
  };
  reader->Next(take);
  EXPECT_THAT(got, testing::IsEmpty());
  log->End();
  ASSERT_TRUE(stepped_.RunOne());
  EXPECT_THAT(got, testing::ElementsAre("last\n"));
  EXPECT_TRUE(ended);
}

TEST_F(HangingLogTest, NoOtherIsBegunInItsPlaceUntilItIsWritten) {
  auto log = Create("log", threads_);
  disk_.Hang("log");
  log->Append(StdStream::kStdout, 0, "first\n");
  disk_.AwaitHanging(1);
  log->End();
  const ContainerLog::Options options = NewOptions("log", threads_);
  const absl::Status early = ContainerLog::Open(options, /*resume=*/false, {absl::InfinitePast(), nullptr}).status();
  EXPECT_EQ(early.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(early.message(), HasSubstr("what was printed before is still to be written"));
  disk_.AnswerAll();
  auto second = ContainerLog::Open(options, /*resume=*/false, Soon());
  ASSERT_TRUE(second.ok()) << second.status();
  (*second)->Append(StdStream::kStdout, 0, "second\n");
  (*second)->End();
  EXPECT_EQ(ReadToEnd(*(*second)->NewReader(LogSelection())), "first\nsecond\n");
}

TEST_F(HangingLogTest, OneThatDoesNotOpenInTimeIsNotWaitedFor) {
  const ContainerLog::Options options = NewOptions("log", threads_);
  disk_.Hang("log");
  const absl::Status status =
      ContainerLog::Open(options, /*resume=*/false, {absl::Now() + absl::Milliseconds(1), nullptr}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("does not answer"));
  disk_.AnswerAll();
  EXPECT_TRUE(ContainerLog::Open(options, /*resume=*/false, Soon()).ok());
}

TEST_F(HangingLogTest, AbandonedItEndsItsReadersAndLeavesNothingBehind) {
  auto log = Create("log", threads_);
  const std::string path = log->path();
  auto reader = log->NewReader(OutputStart::kBeginning);
  disk_.Hang("log");
  log->Append(StdStream::kStdout, 0, "one\n");
  disk_.AwaitHanging(1);
  log->Append(StdStream::kStdout, 4, "two\n");
  log->End();
  auto late = log->NewReader(LogSelection());
  log->Abandon();
  EXPECT_EQ(ReadToEnd(*reader), "<8 lost>");
  EXPECT_EQ(ReadToEnd(*late), "<8 lost>");
  // What comes after must not hold the guest up.
  log->Append(StdStream::kStdout, 8, "three\n");
  EXPECT_EQ(acknowledged_["log"].Get(StdStream::kStdout), 14u);
  disk_.AnswerAll();
  AwaitWritten(*log);
  EXPECT_TRUE(threads_.AwaitFree(path, Soon()).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(HangingLogTest, AbandonedWhenAllIsWrittenItStaysAsItIs) {
  auto log = Create("log", threads_);
  log->Append(StdStream::kStdout, 0, "one\n");
  AwaitWritten(*log);
  log->Abandon();
  log->End();
  EXPECT_EQ(ReadToEnd(*log->NewReader(OutputStart::kBeginning)), "one\n");
  EXPECT_TRUE(std::filesystem::exists(log->path()));
}

TEST_F(HangingLogTest, LogsThatHangLeaveThreadsForOthersOfTheirFilesystem) {
  std::vector<std::shared_ptr<ContainerLog>> hung;
  for (int i = 0; i < LogThreads::kMostOfAFilesystem - 1; ++i)
    hung.push_back(Create(absl::StrCat("hung", i), threads_));
  auto well = Create("well", threads_);
  disk_.Hang("hung");
  for (const auto& log : hung) {
    for (uint64_t offset = 0; offset < 40; offset += 4) log->Append(StdStream::kStdout, offset, "one\n");
  }
  disk_.AwaitHanging(static_cast<int>(hung.size()));
  for (uint64_t offset = 0; offset < 400; offset += 4) {
    well->Append(StdStream::kStdout, offset, "one\n");
    acknowledged_["well"].Await(StdStream::kStdout, offset + 4);
  }
}

}  // namespace
}  // namespace vcd
