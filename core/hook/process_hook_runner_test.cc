// SPDX-License-Identifier: Apache-2.0
#include "core/hook/process_hook_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/testing/captured_log.h"
#include "core/netns/network_namespace.h"
#include "core/os/testing/temporary_directory.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class ProcessHookRunnerTest : public ::testing::Test {
 protected:
  static CallContext Soon() { return {absl::Now() + absl::Seconds(60), nullptr}; }

  static HookCall Shell(const std::string& script, uint32_t timeout_seconds = 60) {
    HookCall call;
    call.pod_id = "web";
    call.kind = HookKind::kPrestart;
    call.index = 1;
    call.hook.set_path("/bin/sh");
    for (const std::string& arg : {std::string("sh"), std::string("-c"), script}) call.hook.add_args(arg);
    call.hook.add_env("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    call.hook.set_timeout_seconds(timeout_seconds);
    call.state = R"({"id":"web"})";
    return call;
  }

  absl::Status Run(const HookCall& call) { return runner_.Run(call, Soon()); }

  std::string Read(const std::string& name) {
    std::ifstream file(directory_.path() + "/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string Path(const std::string& name) { return directory_.path() + "/" + name; }

  TemporaryDirectory directory_;
  ProcessHookRunner runner_;
};

TEST_F(ProcessHookRunnerTest, GetsTheStateItsArgumentsAndItsEnvironmentAlone) {
  HookCall call =
      Shell("cat >" + Path("state") + "; /usr/bin/env >" + Path("env") + "; echo \"$0 $1\" >" + Path("args"));
  call.hook.set_args(0, "called");
  call.hook.add_args("zero");
  call.hook.add_args("one");
  call.hook.add_env("COLOUR=blue = green");
  ASSERT_EQ(Run(call), absl::OkStatus());
  EXPECT_EQ(Read("state"), call.state);
  EXPECT_EQ(Read("args"), "zero one\n");
  EXPECT_THAT(Read("env"), HasSubstr("COLOUR=blue = green\n"));
  EXPECT_THAT(Read("env"), Not(HasSubstr("HOME="))) << "nothing of the daemon's own";
}

TEST_F(ProcessHookRunnerTest, WithoutArgumentsItIsCalledByItsPath) {
  const std::string script = Path("hook.sh");
  std::ofstream(script) << "#!/bin/sh\necho \"$0\" >" << Path("name") << "\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  HookCall call = Shell("");
  call.hook.clear_args();
  call.hook.set_path(script);
  ASSERT_EQ(Run(call), absl::OkStatus());
  EXPECT_EQ(Read("name"), script + "\n");
}

TEST_F(ProcessHookRunnerTest, AFailureNamesTheHookItsEndAndItsLastWords) {
  HookCall call = Shell("echo begin; echo 'no such bridge' >&2; exit 3");
  call.container_id = "main";
  const absl::Status status = Run(call);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "container main: hook prestart[1] (/bin/sh): exited with status 3; it said: begin; no such bridge");
  const std::optional<ErrorDetail> detail = DetailOf(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, v1::ERROR_REASON_HOOK_FAILED);
  EXPECT_EQ(detail->metadata.at("hook"), "/bin/sh");
  EXPECT_EQ(detail->metadata.at("container_id"), "main");
}

TEST_F(ProcessHookRunnerTest, ACrashIsAFailure) {
  EXPECT_THAT(std::string(Run(Shell("kill -SEGV $$")).message()), HasSubstr("killed by signal 11"));
}

TEST_F(ProcessHookRunnerTest, AProgramThatIsNotThereIsAFailure) {
  HookCall call = Shell("");
  call.hook.set_path("/nonexistent/hook");
  const absl::Status status = Run(call);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("start /nonexistent/hook: No such file or directory"));
}

TEST_F(ProcessHookRunnerTest, AnInterpreterThatIsNotThereIsNamed) {
  const TemporaryDirectory directory;
  HookCall call = Shell("");
  call.hook.set_path(directory.path() + "/hook");
  std::ofstream(call.hook.path()) << "#! /no/such -x\n";
  std::filesystem::permissions(call.hook.path(), std::filesystem::perms(0755));
  EXPECT_THAT(std::string(Run(call).message()),
              HasSubstr("/hook: its interpreter /no/such: No such file or directory"));
}

TEST_F(ProcessHookRunnerTest, OfMuchOutputTheEndIsTold) {
  const absl::Status status = Run(Shell("head -c 8000000 /dev/zero | tr '\\0' x; echo; echo 'the cause'; exit 1"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("x; the cause"));
  EXPECT_LT(status.message().size(), 1000u);
}

TEST_F(ProcessHookRunnerTest, WhatIsNoTextBecomesText) {
  const absl::Status status = Run(Shell("printf 'a\\377b'; exit 1"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("it said: a\xef\xbf\xbd"
                                                       "b"));
}

TEST_F(ProcessHookRunnerTest, OneThatReadsNothingIsNoFailure) {
  HookCall call = Shell("exec <&-; exit 0");
  call.state = std::string(1 << 20, 'x');
  EXPECT_EQ(Run(call), absl::OkStatus());
}

TEST_F(ProcessHookRunnerTest, OneThatDoesNotEndIsKilledWithWhatItStarted) {
  // Both processes hold its other end open for as long as they live.
  ASSERT_EQ(mkfifo(Path("alive").c_str(), 0600), 0);
  const UniqueFd alive(open(Path("alive").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(alive.valid());
  const absl::Status status = Run(Shell("exec 9>" + Path("alive") + "; sleep 1000 & wait", 1));
  EXPECT_THAT(std::string(status.message()), HasSubstr("did not end within 1s, its limit (`timeout_seconds`)"));
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_HOOK_FAILED);
  char byte;
  while (read(alive.get(), &byte, 1) != 0) {
    pollfd ended = {alive.get(), POLLIN, 0};
    ASSERT_EQ(poll(&ended, 1, 60'000), 1) << "somebody lives";
  }
}

TEST_F(ProcessHookRunnerTest, WhatItLeavesBehindIsNotWaitedFor) {
  ASSERT_EQ(Run(Shell("sleep 1000 & echo $! >" + Path("pid"))), absl::OkStatus());
  pid_t pid = 0;
  ASSERT_TRUE(absl::SimpleAtoi(Read("pid"), &pid));
  EXPECT_EQ(kill(pid, SIGKILL), 0) << "it held the output open";
}

TEST_F(ProcessHookRunnerTest, TheOperationsEndIsNoFailureOfTheHook) {
  Cancellation cancellation;
  ASSERT_EQ(mkfifo(Path("runs").c_str(), 0600), 0);
  absl::Status status;
  std::thread runner([&] {
    status = runner_.Run(Shell("echo >" + Path("runs") + "; exec sleep 1000"), {absl::InfiniteFuture(), &cancellation});
  });
  (void)Read("runs");
  cancellation.Cancel(absl::AbortedError("DeletePod with force came first"));
  runner.join();
  EXPECT_EQ(status, absl::AbortedError("DeletePod with force came first"));
}

TEST_F(ProcessHookRunnerTest, RunsInTheNamespaceThatItIsGiven) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to make network namespaces";
  const absl::StatusOr<NetworkNamespace> netns = NetworkNamespace::Make();
  ASSERT_TRUE(netns.ok()) << netns.status();
  // By its descriptor, which is as good a name as any.
  HookCall call = Shell("readlink /proc/self/ns/net >" + Path("ns"));
  call.netns_path = absl::StrCat("/proc/self/fd/", netns->fd());
  ASSERT_EQ(Run(call), absl::OkStatus());
  EXPECT_EQ(Read("ns"), absl::StrCat("net:[", netns->identity().inode, "]\n"));

  const auto held = runner_.Hold("web", call.netns_path);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(std::filesystem::read_symlink(absl::StrCat("/proc/", (*held)->pid(), "/ns/net")).string(),
            absl::StrCat("net:[", netns->identity().inode, "]"));
}

TEST_F(ProcessHookRunnerTest, ANamespaceThatIsGoneIsAFailureOfTheHook) {
  HookCall call = Shell("exit 0");
  call.netns_path = Path("nowhere");
  const absl::Status status = Run(call);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_HOOK_FAILED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("open network namespace"));
}

TEST_F(ProcessHookRunnerTest, WhatItSaysIsInTheLog) {
  CapturedLog log;
  ASSERT_EQ(Run(Shell("echo made a bridge")), absl::OkStatus());
  EXPECT_THAT(log.lines(), Contains(AllOf(HasSubstr("hook prestart[1] (/bin/sh) said"), HasSubstr("made a bridge"),
                                          HasSubstr("pod_id=web"))));
}

}  // namespace
}  // namespace vcd
