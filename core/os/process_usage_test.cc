// SPDX-License-Identifier: Apache-2.0
#include "core/os/process_usage.h"

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(ProcessUsageTest, ParsesWhatTheKernelTells) {
  const int64_t ticks = sysconf(_SC_CLK_TCK);
  const std::string stat = absl::StrCat("77 (a ) b) S 1 77 77 0 -1 4194560 80 0 0 0 ", 3 * ticks, " ", ticks,
                                        " 0 0 20 0 5 0 200 8192000 11 1\n");
  const absl::StatusOr<ProcessUsage> usage =
      ParseProcessUsage(stat,
                        "00400000-7fff0000 ---p 00000000 00:00 0    [rollup]\n"
                        "Rss:                 100 kB\nPss:                  60 kB\nPss_Anon:             50 kB\n"
                        "Private_Clean:        10 kB\nPrivate_Dirty:        30 kB\nAnonymous:            25 kB\n"
                        "Private_Hugetlb:       0 kB\n");
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_EQ(usage->cpu_time, absl::Seconds(4));
  EXPECT_EQ(usage->threads, 5u);
  EXPECT_EQ(usage->rss_bytes, 100u << 10);
  EXPECT_EQ(usage->pss_bytes, 60u << 10);
  EXPECT_EQ(usage->private_bytes, 40u << 10);
  EXPECT_EQ(usage->anonymous_bytes, 25u << 10);
  for (const char* text : {"", "77", "77 (x)", "77 (x) S 1", "77 (x) S a b c d e f g h i j k l m n o p q r s t"}) {
    EXPECT_EQ(ParseProcessUsage(text, "").status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST(ProcessUsageTest, ReadsALiveProcessAndNoOtherOfItsPid) {
  absl::StatusOr<ProcessIdentity> self = IdentifyProcess(getpid());
  ASSERT_TRUE(self.ok()) << self.status();
  const absl::StatusOr<ProcessUsage> usage = ReadProcessUsage(*self);
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_GT(usage->rss_bytes, 0u);
  EXPECT_GE(usage->rss_bytes, usage->private_bytes);
  EXPECT_GE(usage->threads, 1u);
  ++self->start_time_ticks;
  EXPECT_EQ(ReadProcessUsage(*self).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace vcd
