// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/process_table.h"

#include <unistd.h>

#include <string>

#include "core/link/link_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/temporary_files.h"

namespace vcd::guest {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// A process of a made /proc.
void PutProcess(const TemporaryFiles& proc, int pid, int parent, const std::string& name, const std::string& cmdline,
                const std::string& flags = "4194560") {
  const std::string directory = std::to_string(pid);
  proc.Put(directory + "/stat", directory + " (" + name + ") S " + std::to_string(parent) + " 1 1 0 -1 " + flags +
                                    " 80 0 0 0 25 75 0 0 20 0 3 0 200 8192000 11 18446744073709551615\n");
  proc.Put(directory + "/status", "Name:\t" + name + "\nUid:\t0\t1000\t0\t0\nNSpid:\t" + directory + "\t7\n");
  proc.Put(directory + "/cmdline", cmdline);
}

TEST(ProcessTableTest, TellsOfAProcess) {
  const TemporaryFiles proc;
  PutProcess(proc, 42, 1, "a) S 9 (b", std::string("prog\0-x\0\0", 9));
  const auto list = ListProcessTable({.proc = proc.path(),
                                      .pids = {42, 43},
                                      .process_ids = {{42, "exec-1"}},
                                      .passwd = "ann:x:1000:1000::/:/bin/sh\n"});
  ASSERT_THAT(list.processes(), SizeIs(1)) << "43 has ended";
  const auto& entry = list.processes(0);
  EXPECT_EQ(entry.pid(), 42);
  EXPECT_EQ(entry.parent_pid(), 1);
  EXPECT_EQ(entry.container_pid(), 7);
  EXPECT_EQ(entry.uid(), 1000u) << "the effective one";
  EXPECT_EQ(entry.user(), "ann");
  EXPECT_EQ(entry.state(), "S");
  EXPECT_EQ(entry.threads(), 3u);
  const uint64_t ticks = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  EXPECT_EQ(entry.cpu_time_us(), 100 * 1'000'000 / ticks);
  EXPECT_EQ(entry.virtual_bytes(), 8192000u);
  EXPECT_EQ(entry.rss_bytes(), 11u * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
  EXPECT_THAT(entry.args(), ElementsAre("prog", "-x", ""));
  EXPECT_EQ(entry.process_id(), "exec-1");
  EXPECT_FALSE(list.truncated());
}

TEST(ProcessTableTest, MakesWhatProcessesSayOfThemselvesFitForTheLink) {
  const TemporaryFiles proc;
  PutProcess(proc, 42, 1, "kworker", "");
  PutProcess(proc, 43, 1, "p", std::string(10000, 'a'));
  PutProcess(proc, 44, 1, "p", "caf\xc3\xa9\xff");
  const auto list = ListProcessTable({.proc = proc.path(), .pids = {42, 43, 44}});
  ASSERT_THAT(list.processes(), SizeIs(3));
  EXPECT_THAT(list.processes(0).args(), ElementsAre("[kworker]"));
  EXPECT_EQ(list.processes(0).user(), "1000");
  EXPECT_THAT(list.processes(1).args(0), SizeIs(4096));
  EXPECT_EQ(list.processes(2).args(0), "caf\xc3\xa9?");
}

TEST(ProcessTableTest, EndsALongListAndSaysSo) {
  const TemporaryFiles proc;
  PutProcess(proc, 42, 1, "p", std::string(4000, 'a'));
  const auto list = ListProcessTable({.proc = proc.path(), .pids = std::vector<pid_t>(1000, 42)});
  EXPECT_TRUE(list.truncated());
  EXPECT_LT(list.ByteSizeLong(), kMaxGuestMessageBytes);
}

// What the host would break the connection for (backends/agent/native/guest_message_size.h).
TEST(ProcessTableTest, StaysWithinWhatTheHostTakes) {
  const TemporaryFiles proc;
  PutProcess(proc, 42, 1, "p", std::string(4096, '\0'));
  PutProcess(proc, 43, 1, "p", "p");
  const auto many_args = ListProcessTable({.proc = proc.path(), .pids = std::vector<pid_t>(100, 42)});
  EXPECT_TRUE(many_args.truncated());
  int args = 0;
  for (const auto& entry : many_args.processes()) args += entry.args_size();
  EXPECT_LE(args, 32768);
  EXPECT_GT(args, 4096);
  const auto many_processes = ListProcessTable({.proc = proc.path(), .pids = std::vector<pid_t>(5000, 43)});
  EXPECT_TRUE(many_processes.truncated());
  EXPECT_LE(many_processes.processes_size(), kMaxGuestProcesses);
}

TEST(ProcessTableTest, FindsDescendants) {
  const TemporaryFiles proc;
  PutProcess(proc, 10, 1, "a", "a");
  PutProcess(proc, 9, 10, "b", "b");
  PutProcess(proc, 11, 9, "c", "c");
  PutProcess(proc, 12, 1, "d", "d");
  EXPECT_THAT(FindDescendants(proc.path(), {10}), UnorderedElementsAre(9, 10, 11));
}

TEST(ProcessTableTest, KnowsAProcessThatIsOnItsWayOut) {
  const TemporaryFiles proc;
  PutProcess(proc, 42, 1, "runs", "runs");
  PutProcess(proc, 43, 1, "goes", "goes", "4194564");
  EXPECT_FALSE(IsExiting(proc.path(), 42));
  EXPECT_TRUE(IsExiting(proc.path(), 43));
  EXPECT_FALSE(IsExiting(proc.path(), 44)) << "gone";
}

TEST(ProcessTableTest, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(ValidUtf8("a\xe2\x82\xac\xf0\x9f\x90\x84"), "a\xe2\x82\xac\xf0\x9f\x90\x84");
  EXPECT_EQ(ValidUtf8("\xc0\x80"), "??") << "overlong";
  EXPECT_EQ(ValidUtf8("\xed\xa0\x80"), "???") << "a surrogate";
  EXPECT_EQ(ValidUtf8("\xe2\x82"), "??") << "cut off";
  EXPECT_EQ(ValidUtf8("\xf5\x80\x80\x80"), "????") << "beyond Unicode";
}

}  // namespace
}  // namespace vcd::guest
