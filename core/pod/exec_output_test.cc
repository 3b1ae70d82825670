// SPDX-License-Identifier: Apache-2.0
#include "core/pod/exec_output.h"

#include <optional>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ExecOutputTest : public testing::Test {
 protected:
  static std::string One(OutputReader& reader) {
    std::string data = "(waits)";
    reader.Next([&](absl::StatusOr<std::optional<OutputChunk>> chunk) {
      data = chunk->has_value() ? (*chunk)->data : "(end)";
    });
    return data;
  }

  std::vector<uint64_t> acknowledged_;
  std::shared_ptr<ExecOutput> output_ =
      std::make_shared<ExecOutput>(0, 0, [this](StdStream, uint64_t offset) { acknowledged_.push_back(offset); });
};

TEST_F(ExecOutputTest, NothingIsAcknowledgedBeforeItIsRead) {
  output_->Append(StdStream::kStdout, 0, "abc");
  EXPECT_THAT(acknowledged_, IsEmpty());
  auto reader = output_->NewReader(OutputStart::kBeginning);
  EXPECT_EQ(One(*reader), "abc");
  EXPECT_THAT(acknowledged_, ElementsAre(3));
  output_->End();
  EXPECT_EQ(One(*reader), "(end)");
}

TEST_F(ExecOutputTest, TheSlowestReaderDecides) {
  auto fast = output_->NewReader(OutputStart::kBeginning);
  auto slow = output_->NewReader(OutputStart::kBeginning);
  output_->Append(StdStream::kStdout, 0, "a");
  output_->Append(StdStream::kStdout, 1, "b");
  EXPECT_EQ(One(*fast), "a");
  EXPECT_EQ(One(*fast), "b");
  EXPECT_THAT(acknowledged_, IsEmpty());
  EXPECT_EQ(One(*slow), "a");
  EXPECT_THAT(acknowledged_, ElementsAre(1));
  slow.reset();
  EXPECT_THAT(acknowledged_, ElementsAre(1, 2));
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
