// SPDX-License-Identifier: Apache-2.0
#include "core/pod/cri_log_format.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(CriLogFormatTest, RecordsAreThoseOfTheInterface) {
  const absl::Time time = absl::FromUnixNanos(1);
  size_t used = 0;
  EXPECT_EQ(FormatCriRecord(StdStream::kStderr, "a\nb", time, &used), "1970-01-01T00:00:00.000000001Z stderr F a\n");
  EXPECT_EQ(used, 2u);
  EXPECT_EQ(FormatCriRecord(StdStream::kStderr, "\nb", time, &used), "1970-01-01T00:00:00.000000001Z stderr F \n");
  EXPECT_EQ(FormatCriRecord(StdStream::kStdout, "b", time, &used), "1970-01-01T00:00:00.000000001Z stdout P b\n");
  EXPECT_EQ(used, 1u);
}

TEST(CriLogFormatTest, MarksAreEmptyPartsOfLinesToOthers) {
  const std::string text = FormatLogMark({3, {1, 20}, 4711, 12}, absl::FromUnixNanos(1));
  EXPECT_EQ(text,
            "1970-01-01T00:00:00.000000001Z stdout P:file=3:run=1@20:offset=4711 \n"
            "1970-01-01T00:00:00.000000001Z stderr P:file=3:run=1@20:offset=12 \n");
  const std::optional<CriRecord> record = ParseCriRecord(text);
  ASSERT_TRUE(record.has_value() && record->is_mark);
  EXPECT_TRUE(record->empty());
  EXPECT_EQ(record->mark.file, 3u);
  EXPECT_EQ(record->mark.run, (LogPosition{1, 20}));
  EXPECT_EQ(record->mark.stdout_offset, 4711u);
}

TEST(CriLogFormatTest, LostBytesAreCountedAndNotOutput) {
  const std::string text = FormatLostBytes(StdStream::kStdout, 12, "the disk was full", absl::FromUnixNanos(1));
  EXPECT_EQ(text,
            "1970-01-01T00:00:00.000000001Z stdout F:lost=12 [vcd: 12 bytes are missing here: the disk was full]\n");
  const std::optional<CriRecord> record = ParseCriRecord(text);
  EXPECT_EQ(record->chunk.lost_bytes, 12u);
  EXPECT_EQ(record->chunk.data, "");
}

TEST(CriLogFormatTest, UnknownTagsArePassedOver) {
  EXPECT_EQ(ParseCriRecord("1970-01-01T00:00:00.000000001Z stdout P:new:x=y text\n")->chunk.data, "text");
}

TEST(CriLogFormatTest, DamagedRecordsAreSkippedOver) {
  EXPECT_FALSE(ParseCriRecord("no newline").has_value());
  for (const char* damaged :
       {"\n", "x\n", "x stdout\n", "x stdwhat F a\n", "t stdout \n", "t stdout F:lost=-1 a\n", "t stdout  a\n"}) {
    const std::optional<CriRecord> record = ParseCriRecord(damaged);
    ASSERT_TRUE(record.has_value());
    EXPECT_TRUE(record->empty());
    EXPECT_EQ(record->size, std::string(damaged).size());
  }
}

}  // namespace
}  // namespace vcd
