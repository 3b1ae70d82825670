// SPDX-License-Identifier: Apache-2.0
// Deaths: vcd's by accident and on request, QEMU's, and what the next vcd makes of it.
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/os/unique_fd.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Tick(int number) { return absl::StrCat("tick ", number, "\n"); }

class RecoveryTest : public E2eTest {
 protected:
  // Prints `tick 0`, `tick 1`, … ten times a second.
  void RunTicker(const std::string& pod_id) {
    RunDetached(pod_id, {"sh", "-c", "i=0; while true; do echo tick $i; i=$((i+1)); sleep 0.1; done"});
  }

  void AwaitTick(const std::string& pod_id, int number) {
    EXPECT_TRUE(daemon().StartVc({"logs", "-f", pod_id})->WaitForOutput(Tick(number))) << "no tick " << number;
  }

  // The log has each tick from 0 once, in order, up to `at_least` or more.
  void ExpectEveryTickOnce(const std::string& pod_id, int at_least) {
    const std::string log = Must({"logs", pod_id});
    std::string expected;
    int count = 0;
    while (expected.size() < log.size()) expected += Tick(count++);
    EXPECT_EQ(log, expected);
    EXPECT_GT(count, at_least);
  }

  // Kills the pod's QEMU by force; before that what `meanwhile` does.
  void KillQemu(
      const std::string& pod_id, const std::function<void()>& meanwhile = [] {}) {
    const int pid = daemon().GetPod(pod_id).vm().pid();
    ASSERT_GT(pid, 1);
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    ASSERT_TRUE(pidfd.valid());
    meanwhile();
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    pollfd ended = {pidfd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(kProgramTimeout))), 1);
  }
};

TEST_F(RecoveryTest, KilledDaemonLeavesThePodRunningAndTheNextOneAdoptsIt) {
  RunTicker("ticker");
  AwaitTick("ticker", 3);
  const int qemu = daemon().GetPod("ticker").vm().pid();

  daemon().Kill();
  daemon().Start();
  v1::Pod pod = daemon().GetPod("ticker");
  EXPECT_EQ(pod.state(), v1::POD_STATE_RUNNING) << pod.reason();
  EXPECT_EQ(pod.vm().pid(), qemu);
  EXPECT_THAT(Must({"ps"}), HasSubstr("running"));
  EXPECT_THAT(Exec("ticker", {"echo", "still here"}).out, "still here\n");

  AwaitTick("ticker", 30);
  ExpectEveryTickOnce("ticker", 30);

  Must({"stop", "-t", "1", "ticker"});
  pod = daemon().GetPod("ticker");
  EXPECT_EQ(pod.state(), v1::POD_STATE_STOPPED) << pod.reason();
  EXPECT_TRUE(FindProcesses(daemon().run_dir() + "/pods").empty());
  // The log outlives the machine.
  ExpectEveryTickOnce("ticker", 30);
  Must({"rm", "ticker"});
}

TEST_F(RecoveryTest, TerminatedDaemonEndsThoughAClientWaitsAndLosesNoExit) {
  RunTicker("ticker");
  RunDetached("brief", {"sh", "-c", "while test ! -e /tmp/go; do sleep 0.05; done; echo last words; exit 4"});
  AwaitTick("ticker", 3);
  const int qemu = daemon().GetPod("ticker").vm().pid();
  // A client that waits must not hold vcd up.
  const auto follower = daemon().StartVc({"logs", "-f", "ticker"});
  EXPECT_TRUE(follower->WaitForOutput(Tick(3)));
  // Ends while nobody looks: the exec is answered before its process does anything.
  Must({"exec", "-d", "brief", "--", "sh", "-c", "sleep 0.3; touch /tmp/go"});

  daemon().Terminate();
  EXPECT_NE(follower->Finish().exit_code, 0);
  EXPECT_EQ(::kill(qemu, 0), 0) << "QEMU has ended with vcd";

  daemon().Start();
  EXPECT_EQ(daemon().GetPod("ticker").vm().pid(), qemu);
  AwaitTick("ticker", 20);
  ExpectEveryTickOnce("ticker", 20);
  EXPECT_EQ(Must({"wait", "brief"}), "4\n");
  EXPECT_EQ(Must({"logs", "brief"}), "last words\n");
  Must({"rm", "-f", "ticker", "brief"});
}

TEST_F(RecoveryTest, PodWhoseQemuIsKilledFailsWithTheReason) {
  RunDetached("victim", {"sleep", "1000"});
  const auto waiting = daemon().StartVc({"wait", "victim"});
  KillQemu("victim");
  waiting->Finish();
  EXPECT_THAT(daemon().AwaitState("victim", v1::POD_STATE_FAILED).reason(), HasSubstr("killed by signal 9"));
  EXPECT_THAT(Must({"ps"}), AllOf(HasSubstr("failed"), HasSubstr("killed by signal 9")));
  EXPECT_THAT(Exec("victim", {"true"}), ExitsWith(125));
  EXPECT_EQ(Must({"rm", "victim"}), "victim\n");
}

TEST_F(RecoveryTest, PodWhoseGuestPanicsFailsWithTheKernelsWords) {
  daemon()
      .StartVc({"run", "--rootfs", image(), "--id", "victim", "--mount", "type=proc,src=proc,dst=/mnt", "--", "sh",
                "-c", "echo c > /mnt/sysrq-trigger"})
      ->Finish();
  EXPECT_THAT(daemon().AwaitState("victim", v1::POD_STATE_FAILED).reason(),
              HasSubstr("the guest's kernel panicked: Kernel panic - not syncing: sysrq triggered crash"));
  Must({"rm", "victim"});
}

TEST_F(RecoveryTest, PodWhoseQemuEndedWhileNoDaemonRanIsFailed) {
  RunDetached("victim", {"sleep", "1000"});
  ASSERT_NO_FATAL_FAILURE(KillQemu("victim", [this] { daemon().Kill(); }));
  daemon().Start();
  EXPECT_NE(daemon().AwaitState("victim", v1::POD_STATE_FAILED).reason(), "");
  Must({"rm", "victim"});
}

}  // namespace
}  // namespace vcd
