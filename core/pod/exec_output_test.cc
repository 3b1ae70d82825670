// SPDX-License-Identifier: Apache-2.0
#include "core/pod/exec_output.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kBacklog = 100;

class ExecOutputTest : public testing::Test {
 protected:
  ~ExecOutputTest() override {
    output_.reset();
    io_.reset();  // Ends the thread that may acknowledge.
  }

  static std::string One(OutputReader& reader) {
    std::string data = "(waits)";
    reader.Next([&](absl::StatusOr<std::optional<OutputChunk>> chunk) {
      if (!chunk.ok()) {
        data = std::string(chunk.status().message());
      } else {
        data = chunk->has_value() ? (*chunk)->data : "(end)";
      }
    });
    return data;
  }

  void Make(absl::Duration patience) {
    ExecOutput::Options options;
    options.limits = {kBacklog, patience};
    options.process = "process p1";
    output_ = std::make_shared<ExecOutput>(*io_, options, [this](StdStream, uint64_t offset) {
      MutexLock lock(&mu_);
      acknowledged_.push_back(offset);
      changed_.NotifyAll();
    });
  }

  std::vector<uint64_t> acknowledged() {
    MutexLock lock(&mu_);
    return acknowledged_;
  }
  void AwaitAcknowledged(uint64_t offset) {
    MutexLock lock(&mu_);
    while (acknowledged_.empty() || acknowledged_.back() < offset) changed_.Wait(&mu_);
  }

  std::unique_ptr<IoThread> io_ = std::make_unique<IoThread>();
  Mutex mu_;
  CondVar changed_;
  std::vector<uint64_t> acknowledged_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<ExecOutput> output_;
  void SetUp() override { Make(absl::InfiniteDuration()); }
};

TEST_F(ExecOutputTest, NothingIsAcknowledgedBeforeItIsRead) {
  output_->Append(StdStream::kStdout, 0, "abc");
  EXPECT_THAT(acknowledged(), IsEmpty());
  auto reader = output_->NewReader(OutputStart::kBeginning);
  EXPECT_EQ(One(*reader), "abc");
  EXPECT_THAT(acknowledged(), ElementsAre(3));
  output_->End();
  EXPECT_EQ(One(*reader), "(end)");
}

TEST_F(ExecOutputTest, TheFirstReaderDecidesAndTheOthersFindAllTheSame) {
  auto fast = output_->NewReader(OutputStart::kBeginning);
  auto slow = output_->NewReader(OutputStart::kBeginning);
  output_->Append(StdStream::kStdout, 0, "a");
  output_->Append(StdStream::kStderr, 0, "b");
  EXPECT_EQ(One(*fast), "a");
  EXPECT_THAT(acknowledged(), ElementsAre(1));
  EXPECT_EQ(One(*fast), "b");
  EXPECT_THAT(acknowledged(), ElementsAre(1, 1));
  EXPECT_EQ(One(*slow), "a");
  EXPECT_EQ(One(*slow), "b");
  output_->End();
  EXPECT_EQ(One(*slow), "(end)");
}

TEST_F(ExecOutputTest, ABacklogAheadTheFirstWaitsForTheOthers) {
  auto fast = output_->NewReader(OutputStart::kBeginning);
  auto slow = output_->NewReader(OutputStart::kBeginning);
  const std::string block(kBacklog / 2, 'x');
  for (int i = 0; i < 3; ++i) output_->Append(StdStream::kStdout, i * block.size(), block);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(One(*fast), block);
  EXPECT_THAT(acknowledged(), ElementsAre(kBacklog / 2, kBacklog));
  EXPECT_EQ(One(*slow), block);
  EXPECT_THAT(acknowledged(), ElementsAre(kBacklog / 2, kBacklog, 3 * kBacklog / 2));
  slow.reset();
}

TEST_F(ExecOutputTest, ALoneReaderMayTakeItsTime) {
  Make(absl::ZeroDuration());
  auto reader = output_->NewReader(OutputStart::kBeginning);
  const std::string block(2 * kBacklog, 'x');
  output_->Append(StdStream::kStdout, 0, block);
  output_->Append(StdStream::kStdout, block.size(), "rest");
  EXPECT_THAT(acknowledged(), IsEmpty());
  EXPECT_EQ(One(*reader), block);
  EXPECT_EQ(One(*reader), "rest");
}

TEST_F(ExecOutputTest, WhoHoldsUpOthersForTooLongIsCutOff) {
  Make(absl::Milliseconds(1));
  auto fast = output_->NewReader(OutputStart::kBeginning);
  auto slow = output_->NewReader(OutputStart::kBeginning);
  const std::string block(kBacklog, 'x');
  output_->Append(StdStream::kStdout, 0, block);
  output_->Append(StdStream::kStdout, block.size(), "more");
  EXPECT_EQ(One(*fast), block);
  EXPECT_EQ(One(*fast), "more");
  AwaitAcknowledged(kBacklog + 4);  // Only because the slow one is gone.
  EXPECT_THAT(One(*slow), AllOf(HasSubstr("process p1"), HasSubstr("104 bytes behind"), HasSubstr("slow_reader")));
  output_->End();
  EXPECT_EQ(One(*fast), "(end)");
}

TEST_F(ExecOutputTest, OnceAllIsHereNobodyIsCutOff) {
  Make(absl::Milliseconds(1));
  auto fast = output_->NewReader(OutputStart::kBeginning);
  auto slow = output_->NewReader(OutputStart::kBeginning);
  const std::string block(2 * kBacklog, 'x');
  output_->Append(StdStream::kStdout, 0, block);
  output_->End();
  EXPECT_EQ(One(*fast), block);
  // The timer, if there is one, comes before this.
  Completion<bool> later;
  const Timer timer(*io_, absl::Now() + absl::Milliseconds(5), [later] { later.Set(true); });
  ASSERT_TRUE(later.Wait({absl::InfiniteFuture()}, "the timer").ok());
  EXPECT_EQ(One(*slow), block);
}

TEST_F(ExecOutputTest, WhoPassesOverWhatIsThereMakesRoom) {
  output_->Append(StdStream::kStdout, 0, "before");
  auto reader = output_->NewReader(OutputStart::kNow);
  EXPECT_THAT(acknowledged(), ElementsAre(6));
}

TEST_F(ExecOutputTest, WhatNobodyReadStaysForTheNextReader) {
  output_->Append(StdStream::kStdout, 0, "a");
  output_->NewReader(OutputStart::kBeginning).reset();
  output_->End();
  auto reader = output_->NewReader(OutputStart::kBeginning);
  EXPECT_EQ(One(*reader), "a");
  EXPECT_EQ(One(*reader), "(end)");
}

TEST_F(ExecOutputTest, LateReaderSeesOnlyWhatComes) {
  output_->Append(StdStream::kStdout, 0, "before");
  auto reader = output_->NewReader(OutputStart::kNow);
  std::string data;
  reader->Next([&](absl::StatusOr<std::optional<OutputChunk>> chunk) { data = (*chunk)->data; });
  output_->Append(StdStream::kStdout, 6, "after");
  EXPECT_EQ(data, "after");
}

}  // namespace
}  // namespace vcd
