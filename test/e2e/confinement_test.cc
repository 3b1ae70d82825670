// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a pod's processes on the host: they are users of their own with nothing of the host's but
// what they were given.
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/os/process.h"
#include "core/os/supervised_process.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What a process of the host is, as /proc tells.
class ProcessFacts {
 public:
  explicit ProcessFacts(pid_t pid) : directory_(absl::StrCat("/proc/", pid)) {}

  // A line of `status`, blanks as one: "0 0 0 0".
  std::string Status(const std::string& key) const {
    for (const std::string& line : Lines("status")) {
      if (!absl::StartsWith(line, key + ":")) continue;
      return absl::StrJoin(std::vector<std::string>(
                               absl::StrSplit(line.substr(key.size() + 1), absl::ByAnyChar(" \t"), absl::SkipEmpty())),
                           " ");
    }
    return "no line " + key;
  }
  // Soft and hard limit.
  std::string Limit(const std::string& name) const {
    for (const std::string& line : Lines("limits")) {
      if (!absl::StartsWith(line, name)) continue;
      const std::vector<std::string> words = absl::StrSplit(line.substr(name.size()), ' ', absl::SkipEmpty());
      return absl::StrCat(words[0], " ", words[1]);
    }
    return "no line " + name;
  }
  // Its control groups, of every hierarchy.
  std::vector<std::string> Cgroups() const { return Lines("cgroup"); }
  std::string Namespace(const std::string& name) const { return Link("ns/" + name); }
  std::vector<std::string> Descriptors() const {
    std::vector<std::string> targets;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory_ + "/fd", error)) {
      targets.push_back(fs::read_symlink(entry.path(), error).string());
    }
    return targets;
  }

 private:
  std::vector<std::string> Lines(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(directory_ + "/" + name).rdbuf();
    return absl::StrSplit(text.str(), '\n', absl::SkipEmpty());
  }
  std::string Link(const std::string& name) const {
    std::error_code error;
    return fs::read_symlink(directory_ + "/" + name, error).string();
  }

  const std::string directory_;
};

class ConfinementTest : public E2eTest {
 protected:
  using E2eTest::E2eTest;

  void SetUp() override {
    VCD_SKIP_UNLESS_ROOT();
    E2eTest::SetUp();
  }

  std::string RunDir(const std::string& pod_id) const { return daemon_run_dir() + "/pods/" + pod_id; }
  std::string daemon_run_dir() const { return const_cast<ConfinementTest*>(this)->daemon().run_dir(); }

  // What QEMU may have open, beside what it makes for itself.
  bool IsMeant(const std::string& target, const std::string& pod_id) {
    for (const std::string prefix : {"anon_inode:", "socket:[", "pipe:[", "/memfd:"}) {
      if (absl::StartsWith(target, prefix)) return true;
    }
    for (const std::string path : {"guest/image/vmlinux", "guest/image/initramfs.cpio", "/usr/share/qemu/qboot.rom"}) {
      std::error_code error;
      if (target == fs::canonical(path, error).string()) return true;
    }
    return target == "/dev/null" || target == "/dev/kvm" || target == image() || target == RunDir(pod_id) + "/qemu.log";
  }

  // Whether a process of that user can read the file.
  bool CanRead(uint32_t user_id, const std::string& path) {
    LaunchSpec spec;
    spec.argv = {"/bin/cat", path};
    spec.user_id = user_id;
    auto process = SupervisedProcess::Watch(io_, *LaunchProcess(spec));
    EXPECT_TRUE(process->WaitExit({absl::Now() + absl::Seconds(30), nullptr}).ok());
    return process->exit_description() == "exited with status 0";
  }

  IoThread io_;
};

TEST_F(ConfinementTest, QemuHasNothingOfTheHostThatItWasNotGiven) {
  RunDetached("a", {"sleep", "1000"});
  const v1::VmStatus vm = daemon().GetPod("a").vm();
  const ProcessFacts qemu(vm.pid()), vcd(daemon().pid());
  const std::string user = absl::StrCat(vm.user_id());
  EXPECT_GE(vm.user_id(), 1879048192u);
  EXPECT_EQ(qemu.Status("Uid"), absl::StrJoin({user, user, user, user}, " "));
  EXPECT_EQ(qemu.Status("Gid"), absl::StrJoin({user, user, user, user}, " "));
  EXPECT_EQ(qemu.Status("Groups"), "");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_EQ(qemu.Status(set), "0000000000000000") << set;
  EXPECT_EQ(qemu.Status("NoNewPrivs"), "1");
  EXPECT_EQ(qemu.Status("Seccomp"), "2");
  for (const char* name : {"net", "ipc", "uts"}) {
    EXPECT_NE(qemu.Namespace(name), vcd.Namespace(name)) << name;
    EXPECT_THAT(qemu.Namespace(name), StartsWith(name));
  }
  EXPECT_EQ(qemu.Limit("Max core file size"), "0 0");
  EXPECT_EQ(qemu.Limit("Max open files"), "4096 4096");
  for (const std::string& target : qemu.Descriptors()) EXPECT_TRUE(IsMeant(target, "a")) << target;
  Must({"rm", "-f", "a"});
}

TEST_F(ConfinementTest, PodsAreDifferentUsersAndCannotReadEachOther) {
  RunDetached("a", {"sleep", "1000"});
  RunDetached("b", {"sleep", "1000"});
  const uint32_t a = daemon().GetPod("a").vm().user_id(), b = daemon().GetPod("b").vm().user_id();
  EXPECT_NE(a / 65536, b / 65536);
  for (const std::string& path :
       {RunDir("a") + "/state.json", RunDir("b") + "/state.json", daemon().state_dir() + "/pods/a/config.json"}) {
    EXPECT_TRUE(CanRead(0, path)) << path;
    EXPECT_FALSE(CanRead(b, path)) << path;
  }
  EXPECT_TRUE(CanRead(b, "/etc/passwd"));
  // The block of a pod that has ended is the next one's, also when this is another vcd.
  Must({"rm", "-f", "a"});
  daemon().Kill();
  daemon().Start();
  RunDetached("c", {"sleep", "1000"});
  EXPECT_EQ(daemon().GetPod("c").vm().user_id(), a);
  EXPECT_EQ(daemon().GetPod("b").vm().user_id(), b);
  Must({"rm", "-f", "b", "c"});
  RememberDescriptors();
}

TEST_F(ConfinementTest, EveryProcessOfAPodIsInItsControlGroup) {
  Must({"run", "-d", "--id", "a", "--rootfs", directory(), "--", "sleep", "1000"});
  const v1::VmStatus vm = daemon().GetPod("a").vm();
  if (vm.cgroup().empty()) GTEST_SKIP() << "the host has no control groups that can be written";
  EXPECT_EQ(vm.cgroup(), daemon().cgroup() + "/pod-a");
  std::set<pid_t> in_group;
  int hierarchies = 0;
  for (const std::string mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"}) {
    std::ifstream procs(mount + vm.cgroup() + "/cgroup.procs");
    if (!procs) continue;
    ++hierarchies;
    for (pid_t pid; procs >> pid;) in_group.insert(pid);
  }
  EXPECT_GT(hierarchies, 0);
  EXPECT_EQ(in_group.count(vm.pid()), 1u);
  // QEMU, and virtiofsd with the child that does its work.
  for (const ProcessIdentity& process : FindProcesses(RunDir("a") + "/")) {
    EXPECT_EQ(in_group.count(process.pid), 1u) << process.pid;
    EXPECT_THAT(ProcessFacts(process.pid).Cgroups(), testing::Contains(HasSubstr(vm.cgroup()))) << process.pid;
  }
  EXPECT_GE(in_group.size(), 2u);
  Must({"rm", "-f", "a"});
}

TEST_F(ConfinementTest, APodThatWasKilledLeavesNeitherUserNorControlGroup) {
  RunDetached("a", {"sleep", "1000"});
  ASSERT_EQ(::kill(daemon().GetPod("a").vm().pid(), SIGKILL), 0);
  EXPECT_THAT(daemon().AwaitState("a", v1::POD_STATE_FAILED).reason(), HasSubstr("killed by signal 9 (Killed)"));
  const absl::Time deadline = absl::Now() + kProgramTimeout;
  while (!fs::is_empty(daemon().run_dir() + "/uids") && absl::Now() < deadline) (void)::poll(nullptr, 0, 20);
  EXPECT_TRUE(fs::is_empty(daemon().run_dir() + "/uids"));
  Must({"rm", "a"});
}

class ConsoleTest : public ConfinementTest {
 protected:
  ConsoleTest() : ConfinementTest({"--config", Config()}) {}

  static std::string Config() {
    const std::string path = absl::StrCat(::testing::TempDir(), "/small-console.toml");
    std::ofstream(path) << "[qemu]\nmax_console_bytes = 8192\n";
    return path;
  }
};

TEST_F(ConsoleTest, AGuestCannotFillTheDiskWithItsConsole) {
  Must({"run", "-d", "-f", "-"},
       absl::StrCat(R"({"id": "loud", "containers": [{"id": "main", "rootfs": {"image": {"path": ")", image(),
                    R"("}}, "cmd": {"args": ["sleep", "1000"]}, "devices": [
      {"container_path": "/dev/ttyS0", "type": "c", "major": 4, "minor": 64}]}]})"));
  const auto follower = daemon().StartVc({"logs", "--console", "-f", "loud"});
  const ProgramResult flood =
      Exec("loud", {"sh", "-c",
                    "i=0; while [ $i -lt 600 ]; do echo a line of a flood on the console, number $i; i=$((i+1)); "
                    "done >/dev/ttyS0; echo the end of the flood >/dev/ttyS0"});
  EXPECT_THAT(flood, ExitsWith(0));
  EXPECT_TRUE(follower->WaitForOutput("the end of the flood"));
  uint64_t used = 0;
  for (const char* name : {"/console.log", "/console.log.1"}) {
    std::error_code error;
    const uintmax_t size = fs::file_size(RunDir("loud") + name, error);
    if (!error) used += size;
  }
  EXPECT_GT(used, 4096u);
  EXPECT_LE(used, 8192u);
  // It is there when the machine has ended, and whoever follows is told that.
  Must({"stop", "loud"});
  EXPECT_THAT(follower->Finish(), ExitsWith(0));
  EXPECT_THAT(Must({"logs", "--console", "loud"}), HasSubstr("the end of the flood"));
  Must({"rm", "loud"});
}

}  // namespace
}  // namespace vcd
