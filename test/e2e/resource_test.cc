// SPDX-License-Identifier: Apache-2.0
// Limits that the guest's kernel enforces, what is used, and guests that run out of memory or fall silent.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCgroup[] = "/sys/fs/cgroup/";

// A file of the test's own that asks guests often and gives up soon.
std::string HealthConfig() {
  const char* directory = ::getenv("TEST_TMPDIR");
  const std::string path = absl::StrCat(directory == nullptr ? "/tmp" : directory, "/health.toml");
  std::ofstream(path) << "[health]\ninterval_seconds = 3\ntimeout_seconds = 15\n";
  return path;
}

class ResourceTest : public E2eTest {
 protected:
  using E2eTest::E2eTest;

  void RunLimited(const std::string& pod_id, const std::vector<std::string>& options,
                  const std::vector<std::string>& command) {
    std::vector<std::string> words = {"run", "-d", "--id", pod_id, "--rootfs", image()};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), command.begin(), command.end());
    EXPECT_EQ(Must(words), pod_id + "\n");
  }

  // A file of the container's control group, as it is seen from inside.
  std::string Limit(const std::string& file) { return Trimmed(Exec("box", {"cat", kCgroup + file}).out); }

  // What time it is in the pod, in seconds since 1970; -1 when it does not say.
  int64_t Clock(const std::string& pod_id) {
    int64_t seconds = -1;
    EXPECT_TRUE(absl::SimpleAtoi(Trimmed(Exec(pod_id, {"date", "+%s"}).out), &seconds));
    return seconds;
  }

  // The number behind `key` in the figures of `box`; -1 when there is none.
  int64_t Figure(const std::string& key) {
    const std::string stats = Must({"stats", "--no-stream", "-o", "json", "box"});
    const std::string quoted = absl::StrCat("\"", key, "\":");
    const size_t at = stats.find(quoted);
    if (at == std::string::npos) return -1;
    // 64-bit numbers are strings in protobuf's JSON.
    const size_t begin = stats.find_first_of("0123456789", at + quoted.size());
    int64_t value = -1;
    EXPECT_TRUE(absl::SimpleAtoi(stats.substr(begin, stats.find_first_not_of("0123456789", begin) - begin), &value));
    return value;
  }
};

TEST_F(ResourceTest, LimitsHoldAndChangeWhileTheContainerRuns) {
  RunLimited("box", {"--memory-limit", "48m", "--pids-limit", "20", "--cpu-shares", "512"}, {"sleep", "1000"});
  EXPECT_EQ(Limit("memory.max"), absl::StrCat(48 << 20));
  EXPECT_EQ(Limit("pids.max"), "20");
  EXPECT_EQ(Limit("cpu.weight"), "20");
  EXPECT_NE(Exec("box", {"sh", "-c", "echo max > /sys/fs/cgroup/memory.max"}).exit_code, 0);

  // More processes than it may have.
  const ProgramResult forks = Exec("box", {"sh", "-c", "i=0; while test $i -lt 40; do sleep 1000 & i=$((i+1)); done"});
  EXPECT_THAT(forks.err, HasSubstr("fork"));
  EXPECT_LE(Figure("pids"), 20);
  EXPECT_EQ(Figure("pids_limit"), 20);
  // Those that were started fill the container, and no exec has room beside them.
  Must({"update", "box", "--pids-limit", "100"});
  EXPECT_EQ(Limit("pids.max"), "100");

  // A process that takes more memory than there is; the container goes on.
  const ProgramResult hog = Exec("box", {"dd", "if=/dev/zero", "of=/dev/null", "bs=60M", "count=1"});
  EXPECT_THAT(hog, ExitsWith(128 + SIGKILL));
  EXPECT_EQ(Figure("oom_kills"), 1);

  // What is named changes, and what is not stays.
  EXPECT_EQ(Must({"update", "box", "--memory", "none", "--cpus", "0.1", "--pids-limit", "200"}), "main\n");
  EXPECT_EQ(Limit("memory.max"), "max");
  EXPECT_EQ(Limit("cpu.max"), "10000 100000");
  EXPECT_EQ(Limit("pids.max"), "200");
  EXPECT_EQ(Limit("cpu.weight"), "20");
  // Until the kernel has held it up.
  EXPECT_THAT(Exec("box", {"sh", "-c", "until grep -q 'nr_throttled [1-9]' /sys/fs/cgroup/cpu.stat; do :; done"}),
              ExitsWith(0));
  EXPECT_GT(Figure("cpu_throttled_periods"), 0);

  // A CPU that the guest does not have: all of it is refused.
  const ProgramResult refused = Vc({"update", "box", "--cpus", "none", "--cpuset-cpus", "7"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("cpuset.cpus"));
  EXPECT_EQ(Limit("cpu.max"), "10000 100000");
  EXPECT_THAT(Must({"inspect", "box"}), HasSubstr("\"cpu_quota_us\": \"10000\""));

  EXPECT_GT(Figure("cpu_usage_us"), 0);
  EXPECT_GT(Figure("memory_usage_bytes"), 0);
  EXPECT_GT(Figure("memory_unique_bytes"), 1 << 20) << "of the VMM";
  EXPECT_GT(Figure("memory_total_bytes"), 64 << 20) << "of the guest";
  Must({"rm", "-f", "box"});
}

TEST_F(ResourceTest, AFirstProcessThatWasEndedForWantOfMemoryIsToldApart) {
  const auto events = daemon().StartVc({"events", "--pod", "hog"});
  RunLimited("hog", {"--memory-limit", "32m"}, {"dd", "if=/dev/zero", "of=/dev/null", "bs=60M", "count=1"});
  EXPECT_EQ(Must({"wait", "hog"}), "137\n");
  EXPECT_TRUE(events->WaitForOutput("container_oom hog/main"));
  EXPECT_TRUE(events->WaitForOutput("container_stopped hog/main"));
  EXPECT_THAT(Must({"inspect", "hog"}), HasSubstr("\"oom_killed\": true"));
  events->Signal(SIGINT);
  events->Finish();
  Must({"rm", "-f", "hog"});
}

TEST_F(ResourceTest, ProcessesThatWaitForMemoryAreToldOf) {
  const auto events = daemon().StartVc({"events", "--pod", "tight"});
  // Whoever is above memory.high is made to wait at every step.
  RunLimited("tight", {"--cgroup", "memory.high=8388608"}, {"dd", "if=/dev/zero", "of=/dev/null", "bs=30M", "count=1"});
  EXPECT_TRUE(events->WaitForOutput("pod_memory_pressure tight"));
  events->Signal(SIGINT);
  EXPECT_THAT(events->Finish().out, HasSubstr("processes waited for memory in "));
  Must({"rm", "-f", "tight"});
}

TEST_F(ResourceTest, TopNamesUsersAndStatsAreShown) {
  RunDetached("box", {"sleep", "1000"});
  const auto exec = daemon().StartVc({"exec", "-u", "alice", "box", "--", "sh", "-c", "echo up; exec sleep 555"});
  ASSERT_TRUE(exec->WaitForOutput("up\n"));
  const std::string top = Must({"top", "box", "--columns", "user,cpid,stat,command"});
  EXPECT_THAT(top, AllOf(HasSubstr("root   1     S     sleep 1000"), HasSubstr("alice"), HasSubstr("555")));
  EXPECT_THAT(top, Not(HasSubstr("agent"))) << "only the container's";
  EXPECT_THAT(Must({"top", "box", "-o", "json"}), HasSubstr("\"user\": \"alice\""));
  EXPECT_THAT(Must({"stats", "--no-stream", "box"}), AllOf(HasSubstr("(machine)"), HasSubstr("main")));
  // The guest counts how long processes wait for memory.
  EXPECT_THAT(Exec("box", {"cat", "/proc/pressure/memory"}).out, HasSubstr("some avg10="));
  Must({"rm", "-f", "box"});
  exec->Finish();
}

TEST_F(ResourceTest, AResumedGuestKnowsTheTime) {
  RunLimited("box", {"--cap-add", "SYS_TIME"}, {"sleep", "1000"});
  // As if it had been paused for years.
  const int64_t past = 1'000'000'000;
  ASSERT_THAT(Exec("box", {"date", "-s", absl::StrCat("@", past)}), ExitsWith(0));
  ASSERT_LT(Clock("box"), past + 3600);
  Must({"pause", "box"});
  Must({"resume", "box"});
  const int64_t before = absl::ToUnixSeconds(absl::Now());
  const int64_t guest = Clock("box");
  const int64_t after = absl::ToUnixSeconds(absl::Now());
  // As late as the time may have come there.
  EXPECT_GE(guest, before - 60);
  EXPECT_LE(guest, after + 1);
  Must({"rm", "-f", "box"});
}

class SilentGuestTest : public ResourceTest {
 protected:
  SilentGuestTest() : ResourceTest({"--config", HealthConfig()}) {}
};

TEST_F(SilentGuestTest, AMachineThatStandsStillBehindVcdsBackIsGivenUp) {
  RunDetached("sick", {"sleep", "1000"});
  RunDetached("well", {"sleep", "1000"});
  const auto events = daemon().StartVc({"events", "--pod", "sick"});
  ASSERT_EQ(::kill(daemon().GetPod("sick").vm().pid(), SIGSTOP), 0);
  EXPECT_TRUE(events->WaitForOutput("pod_failed sick"));
  EXPECT_THAT(Must({"inspect", "sick"}), HasSubstr("no sign of life for 15s"));
  EXPECT_THAT(Exec("well", {"true"}), ExitsWith(0));
  events->Signal(SIGINT);
  events->Finish();
  Must({"rm", "-f", "sick", "well"});
}

}  // namespace
}  // namespace vcd
