// SPDX-License-Identifier: Apache-2.0
// Hooks as they meet real machines: programs in real namespaces and in the guest. In a network namespace of this
// process's own, which it calls the host.
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class OwnHost : public testing::Environment {
 public:
  void SetUp() override {
    if (::geteuid() != 0) return;
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
  }
};
[[maybe_unused]] const testing::Environment* const kOwnHost = testing::AddGlobalTestEnvironment(new OwnHost);

class HooksTest : public E2eTest {
 protected:
  explicit HooksTest(std::vector<std::string> flags = {}) : E2eTest(std::move(flags)) {}

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "network namespaces are root's";
    ASSERT_NO_FATAL_FAILURE(E2eTest::SetUp());
    fs::create_directory(directory());
  }

  std::string directory() { return daemon().directory() + "/hooks"; }
  std::string Path(const std::string& name) { return directory() + "/" + name; }
  std::string Read(const std::string& name) {
    std::ifstream file(Path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string Script(const std::string& name, const std::string& text) {
    std::ofstream(Path(name)) << "#!/bin/sh\n" << text;
    fs::permissions(Path(name), fs::perms::owner_all);
    return Path(name);
  }

  // A script that notes, under the name of its kind, what it was told, where it runs, and where the process is that it
  // was told of.
  std::string Note(const std::string& kind, const std::string& more = "") {
    return Script(
        kind, absl::StrCat("cat >", Path(kind + ".state"), "\nreadlink /proc/self/ns/net >", Path(kind + ".ns"),
                           "\npid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' ", Path(kind + ".state"),
                           ")\n[ $pid = 0 ] || readlink /proc/$pid/ns/net >", Path(kind + ".pidns"), "\n", more, "\n"));
  }

  // A prestart hook that gives the namespace that vcd made for the pod an interface, whose peer is in the host's.
  std::string NoteAndFill() {
    return Note("prestart",
                "export PATH=$PATH:/sbin:/usr/sbin\n"
                "ip link add eth0 type veth peer name peer0 netns $PPID && ip addr add 192.0.2.17/24 dev "
                "eth0 && ip link set eth0 up");
  }

  // `vc run -d` of a pod `web` with further options.
  ProgramResult RunWeb(std::vector<std::string> options) {
    std::vector<std::string> words = {"run", "-d", "--id", "web", "--rootfs", image()};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "sleep", "1000"});
    return Vc(words);
  }

  // A pod with one prestart hook, out of a file.
  ProgramResult CreateWith(const std::string& path, int timeout_seconds) {
    return Vc({"create", "-f", "-", "--id", "web", "--rootfs", image(), "--", "sleep", "1000"},
              absl::StrCat(R"({"hooks": {"prestart": [{"path": ")", path, R"(", "timeout_seconds": )", timeout_seconds,
                           R"(}], "poststop": [{"path": ")", Note("poststop"), R"("}]}})"));
  }
};

TEST_F(HooksTest, EachRunsWhereItBelongs) {
  const ProgramResult run =
      RunWeb({"--network", "cnm", "--hook", "prestart=" + NoteAndFill(), "--hook",
              "create-runtime=" + Note("create-runtime"), "--hook", "create-container=" + Note("create-container"),
              "--hook", "start-container=/bin/sh,-c,cat >/tmp/state; id -u >/tmp/user", "--hook",
              "poststart=" + Note("poststart"), "--hook", "poststop=" + Note("poststop")});
  ASSERT_THAT(run, ExitsWith(0)) << daemon().log();
  const std::string host = fs::read_symlink("/proc/self/ns/net").string() + "\n";
  const std::string pod = Read("prestart.ns");
  EXPECT_THAT(pod, AllOf(HasSubstr("net:["), Not(host)));
  EXPECT_EQ(Read("create-container.ns"), pod);
  EXPECT_EQ(Read("create-runtime.ns"), host);
  EXPECT_EQ(Read("poststart.ns"), host);
  for (const char* kind : {"prestart", "create-runtime", "create-container", "poststart"}) {
    EXPECT_EQ(Read(absl::StrCat(kind, ".pidns")), pod) << kind;
  }
  EXPECT_THAT(Read("prestart.state"), HasSubstr("\"id\":\"web\",\"status\":\"creating\",\"bundle\":\"/"));
  EXPECT_THAT(Read("create-container.state"), HasSubstr("\"id\":\"main\",\"status\":\"creating\""));
  EXPECT_THAT(Read("poststart.state"), HasSubstr(absl::StrCat("\"pid\":", daemon().GetPod("web").vm().pid(),
                                                              ",\"id\":\"web\",\"status\":\"running\"")));

  EXPECT_THAT(Exec("web", {"/bin/busybox", "ip", "addr", "show", "eth0"}).out, HasSubstr("inet 192.0.2.17/24"))
      << "what the hook made was found";
  EXPECT_THAT(Exec("web", {"cat", "/tmp/state"}).out, HasSubstr("\"pid\":1,\"id\":\"main\",\"status\":\"created\""));
  EXPECT_EQ(Exec("web", {"cat", "/tmp/user"}).out, "0\n");
  EXPECT_GT(daemon().GetPod("web").boot_timeline().hooks_seconds(), 0);

  EXPECT_EQ(Read("poststop.state"), "");
  Must({"stop", "-t", "1", "web"});
  EXPECT_THAT(Read("poststop.state"), HasSubstr("\"pid\":0,\"id\":\"web\",\"status\":\"stopped\""));
  Must({"rm", "web"});
}

// With a machine that waits, which is not in the namespace of the pod that takes it.
class WarmHooksTest : public HooksTest {
 protected:
  WarmHooksTest() : HooksTest({"--templates", "on", "--config", Configuration()}) {}

  void TearDown() override {
    RemoveAllPods();
    Must({"template", "rm", "--all"});
    HooksTest::TearDown();
  }

  static std::string Configuration() {
    const std::string path = ::testing::TempDir() + "/warm_hooks.toml";
    std::ofstream(path) << "[templates]\nwarm_machines = 1\n";
    return path;
  }

  void AwaitWarm() {
    const absl::Time deadline = absl::Now() + kProgramTimeout;
    const auto waits = [this] {
      std::error_code error;
      for (const auto& machine : fs::directory_iterator(daemon().run_dir() + "/warm", error)) {
        if (fs::exists(machine.path() / "machine.json")) return true;
      }
      return false;
    };
    while (!waits() && absl::Now() < deadline) continue;
    EXPECT_TRUE(waits());
  }
};

TEST_F(WarmHooksTest, AMachineThatWaitedJoinsAnyNetwork) {
  Must({"template", "prepare"});
  ASSERT_THAT(RunWeb({}), ExitsWith(0));
  AwaitWarm();
  Must({"rm", "-f", "web"});
  const ProgramResult run =
      RunWeb({"--network", "cnm", "--hook", "prestart=" + NoteAndFill(), "--hook",
              "create-container=" + Note("create-container"), "--hook", "poststart=" + Note("poststart")});
  ASSERT_THAT(run, ExitsWith(0)) << daemon().log();
  EXPECT_EQ(daemon().GetPod("web").vm().start(), v1::VM_START_WARM);
  const std::string pod = Read("prestart.ns");
  for (const char* kind : {"prestart", "create-container", "poststart"}) {
    EXPECT_EQ(Read(absl::StrCat(kind, ".pidns")), pod) << kind;
  }
  ASSERT_THAT(RunProgram({"/sbin/ip", "addr", "add", "192.0.2.1/24", "dev", "peer0"}), ExitsWith(0));
  ASSERT_THAT(RunProgram({"/sbin/ip", "link", "set", "peer0", "up"}), ExitsWith(0));
  const std::vector<std::string> ping = {"/bin/busybox", "ping", "-c", "1", "-W", "60", "192.0.2.17"};
  EXPECT_THAT(RunProgram(ping), ExitsWith(0));
  daemon().Kill();
  daemon().Start();
  RememberDescriptors();
  EXPECT_THAT(RunProgram(ping), ExitsWith(0)) << "its packets do not pass through vcd";
  Must({"stop", "-t", "1", "web"});
  // What was in a namespace goes when the kernel gets to it.
  const absl::Time deadline = absl::Now() + kProgramTimeout;
  const auto there = [] { return RunProgram({"/sbin/ip", "link", "show", "peer0"}).exit_code == 0; };
  while (there() && absl::Now() < deadline) continue;
  EXPECT_FALSE(there()) << "nothing keeps the namespace";
}

TEST_F(HooksTest, OneThatNeverEndsUndoesTheCreation) {
  const ProgramResult created = CreateWith(Script("hangs", "echo waiting for a lease\nexec sleep 1000\n"), 5);
  EXPECT_THAT(created, Not(ExitsWith(0)));
  EXPECT_THAT(created.err, AllOf(HasSubstr("pod web: "), HasSubstr("hook prestart[0] (" + Path("hangs")),
                                 HasSubstr("did not end within 5s"), HasSubstr("it said: waiting for a lease")));
  EXPECT_THAT(Read("poststop.state"), HasSubstr("stopped"));
}

TEST_F(HooksTest, OneThatPrintsMegabytesIsToldByItsEnd) {
  const ProgramResult created =
      CreateWith(Script("loud", "head -c 8000000 /dev/zero | tr '\\0' x\necho\necho no such bridge >&2\nexit 2\n"), 60);
  EXPECT_THAT(created, Not(ExitsWith(0)));
  EXPECT_THAT(created.err, HasSubstr("exited with status 2; it said: "));
  EXPECT_THAT(created.err, HasSubstr("no such bridge"));
  EXPECT_LT(created.err.size(), 2000u);
}

TEST_F(HooksTest, OneThatFailsInTheGuestEndsItsContainer) {
  const ProgramResult run = RunWeb(
      {"--hook", "start-container=/bin/sh,-c,echo no license; exit 3", "--hook", "poststop=" + Note("poststop")});
  EXPECT_THAT(run, Not(ExitsWith(0)));
  EXPECT_THAT(run.err, HasSubstr("hook start_container (/bin/sh): exited with status 3; it said: no license"));
  EXPECT_THAT(Read("poststop.state"), HasSubstr("stopped"));
}

TEST_F(HooksTest, WhatACrashInterruptsIsUndoneWithItsPoststop) {
  // Ends with its vcd, so that nothing of it is left.
  const std::string hangs =
      Script("hangs", absl::StrCat("echo >", Path("runs"), "\nwhile kill -0 $PPID 2>/dev/null; do sleep 0.1; done\n"));
  ASSERT_EQ(::mkfifo(Path("runs").c_str(), 0600), 0);
  const auto creation = daemon().StartVc({"create", "--id", "web", "--rootfs", image(), "--hook", "prestart=" + hangs,
                                          "--hook", "poststop=" + Note("poststop"), "--", "sleep", "1000"});
  EXPECT_EQ(Read("runs"), "\n");
  daemon().Kill();
  daemon().Start();
  RememberDescriptors();
  const absl::Time deadline = absl::Now() + kProgramTimeout;
  while (Read("poststop.state").empty() && absl::Now() < deadline) continue;
  EXPECT_THAT(Read("poststop.state"), HasSubstr("\"status\":\"stopped\""));
  EXPECT_THAT(Vc({"inspect", "web"}), Not(ExitsWith(0))) << "it never came to be";
}

TEST_F(HooksTest, ForceDoesNotWaitForAPoststopThatHangs) {
  const std::string hangs = Script("hangs", "exec sleep 1000\n");
  ASSERT_THAT(RunWeb({"--hook", "poststop=" + hangs}), ExitsWith(0));
  const absl::Time began = absl::Now();
  EXPECT_THAT(Vc({"--timeout", "8s", "rm", "-f", "web"}), ExitsWith(0));
  EXPECT_LT(absl::Now() - began, absl::Seconds(30)) << "which the hook has";
}

}  // namespace
}  // namespace vcd
