// SPDX-License-Identifier: Apache-2.0
// Processes in a container: how they start, what they read and print, how they end.
#include <algorithm>
#include <cstdint>
#include <string>

#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Bytes of every value that no compression or text handling keeps by accident; the same in every run.
std::string BinaryData(size_t size) {
  std::string data(size, '\0');
  uint32_t state = 12345;
  for (char& c : data) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return data;
}

using ProcessTest = E2eTest;

TEST_F(ProcessTest, StandardInputReachesTheProcessByteForByte) {
  const std::string data = BinaryData(1 << 20);
  const ProgramResult result = RunIn(image(), {"-i"}, {"cat"}, data);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out.size(), data.size());
  EXPECT_TRUE(result.out == data) << "what came back is not what was sent";
}

TEST_F(ProcessTest, RunSetsEnvironmentDirectoryUserAndGroup) {
  const ProgramResult result = RunIn(
      image(), {"-e", "GREETING=hello world", "-w", "/home/alice", "-u", "alice:staff", "--hostname", "box"},
      {"sh", "-c", "echo $GREETING; pwd; id -un; id -gn; hostname; cat; test -n \"$PATH\" && echo path"}, "unread");
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(result.out, "hello world\n/home/alice\nalice\nstaff\nbox\npath\n");
}

// Whatever does not need a machine of its own shares one.
TEST_F(ProcessTest, ExecRunsFurtherProcesses) {
  RunDetached("box", {"sleep", "1000"});

  ProgramResult result = Exec("box", {"sh", "-c", "echo out; echo err >&2; exit 5"});
  EXPECT_THAT(result, ExitsWith(5));
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");

  const std::string data = BinaryData(1 << 20);
  result = Exec("box", {"cat"}, {"-i"}, data);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(result.out == data) << "what came back is not what was sent: " << result.out.size() << " bytes";

  // Without -i there is nothing to read.
  EXPECT_THAT(Exec("box", {"cat"}, {}, "unread").out, "");

  // Much output, more than any buffer on the way.
  EXPECT_THAT(Trimmed(Exec("box", {"sh", "-c", "yes 0123456789abcde | head -c 8388608"}).out).size(), (8 << 20) - 1);

  EXPECT_EQ(Exec("box", {"sh", "-c", "echo $A; pwd; id -u; id -g"}, {"-e", "A=1=2", "-w", "/tmp", "-u", "1000:50"}).out,
            "1=2\n/tmp\n1000\n50\n");
  EXPECT_THAT(Exec("box", {"id"}, {"-u", "alice"}).out,
              AllOf(HasSubstr("uid=1000(alice) gid=1000(alice)"), HasSubstr("50(staff)")));
  EXPECT_THAT(Exec("box", {"id"}, {"-u", "4242"}).out, HasSubstr("uid=4242"));
  EXPECT_THAT(Exec("box", {"id"}, {"-u", "nobody-here"}), ExitsWith(125));

  EXPECT_THAT(Exec("box", {"sh", "-c", "kill -TERM $$"}), ExitsWith(128 + 15));
  EXPECT_THAT(Exec("box", {"sh", "-c", "kill -KILL $$"}), ExitsWith(128 + 9));

  result = Exec("box", {"no-such-command"});
  EXPECT_THAT(result, ExitsWith(127));
  EXPECT_THAT(result.err, HasSubstr("no-such-command"));
  EXPECT_THAT(Exec("box", {"/etc/plain"}), ExitsWith(126));
  EXPECT_THAT(Exec("box", {"/etc"}), ExitsWith(126));

  // It sees the container's processes and none of the guest's.
  EXPECT_THAT(Exec("box", {"ps"}).out, AllOf(HasSubstr("sleep 1000"), Not(HasSubstr("agent"))));

  // The container still runs its first process, and `vc kill` ends it.
  Must({"kill", "-s", "KILL", "box"});
  EXPECT_EQ(Must({"wait", "box"}), "137\n");
  Must({"rm", "-f", "box"});
}

TEST_F(ProcessTest, LogsHoldWhatTheFirstProcessPrinted) {
  RunDetached("talker", {"sh", "-c",
                         "echo one; echo two >&2; echo three; cat /tmp/go; while test ! -e /tmp/go; do "
                         "sleep 0.05; done; echo four; printf five"});
  const auto follow = daemon().StartVc({"logs", "-f", "talker"});
  EXPECT_TRUE(follow->WaitForOutput("three\n"));
  EXPECT_EQ(Must({"logs", "talker"}), "one\nthree\n");

  EXPECT_THAT(Exec("talker", {"touch", "/tmp/go"}), ExitsWith(0));
  const ProgramResult followed = follow->Finish();
  EXPECT_THAT(followed, ExitsWith(0));
  EXPECT_EQ(followed.out, "one\nthree\nfour\nfive");
  EXPECT_EQ(Must({"wait", "talker"}), "0\n");
  EXPECT_EQ(Must({"logs", "--tail", "2", "talker"}), "four\nfive");
  // The streams are two pipes, of which one may be read before the other.
  EXPECT_THAT(Vc({"logs", "talker"}).err, HasSubstr("two\n"));
  Must({"rm", "-f", "talker"});
}

TEST_F(ProcessTest, MissingCommandIs127AndLeavesNothing) {
  const ProgramResult result = RunIn(image(), {}, {"no-such-command"});
  EXPECT_THAT(result, ExitsWith(127));
  EXPECT_THAT(result.err, HasSubstr("no-such-command"));
  EXPECT_EQ(result.out, "");
}

TEST_F(ProcessTest, CommandThatCannotBeExecutedIs126AndLeavesNothing) {
  const ProgramResult result = RunIn(image(), {}, {"/etc/plain"});
  EXPECT_THAT(result, ExitsWith(126));
  EXPECT_THAT(result.err, HasSubstr("/etc/plain"));
}

}  // namespace
}  // namespace vcd
