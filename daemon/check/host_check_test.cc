// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/host_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "daemon/check/faults.h"
#include "daemon/check/testing/complaints.h"
#include "daemon/check/testing/fake_host.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Config = config::v1::DaemonConfig;

TEST(HostCheckTest, AGoodHostHasNoComplaint) {
  const v1::CheckResponse response = Check(FakeHost(), GoodConfig());
  EXPECT_EQ(Names(Complaints(response)), "");
  EXPECT_TRUE(CanRunPods(response));
  std::set<std::string> names;
  for (const v1::CheckResult& result : response.results()) {
    EXPECT_NE(result.detail(), "") << result.name();
    EXPECT_EQ(result.remedy(), "");
    EXPECT_EQ(result.level(), v1::CHECK_LEVEL_UNSPECIFIED);
    names.insert(result.name());
  }
  for (const FaultText& fault : AllFaults()) EXPECT_EQ(names.count(fault.check), 1u) << fault.check;
}

TEST(HostCheckTest, GoodHostsOfOtherKindsAreGoodToo) {
  FakeHost first;
  first.file("/proc/self/mountinfo").content =
      "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:30 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
      "31 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "32 30 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "33 30 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
  first.Remove("/sys/fs/cgroup/cgroup.controllers");
  EXPECT_EQ(Names(Complaints(Check(first, GoodConfig()))), "");

  FakeHost fresh;  // Nothing was ever started here.
  fresh.Remove("/var/lib/vcd");
  fresh.Remove("/run/vcd");
  EXPECT_EQ(Names(Complaints(Check(fresh, GoodConfig()))), "");

  FakeHost with_image;
  with_image.file(kHostKernel).content.assign(4096, 'x').replace(0x202, 4, "HdrS");
  EXPECT_EQ(Names(Complaints(Check(with_image, GoodConfig()))), "");

  FakeHost without_kvm;
  without_kvm.RemoveKvm("fpu");
  Config emulated = GoodConfig();
  emulated.mutable_qemu()->set_accelerator("tcg");
  EXPECT_EQ(Names(Complaints(Check(without_kvm, emulated))), "");
}

TEST(HostCheckTest, MockPodsNeedNoQemu) {
  FakeHost host;
  for (const char* path : {kHostQemu, kHostKernel, kHostInitrd, kHostVirtiofsd}) host.Remove(path);
  Config config = GoodConfig();
  EXPECT_FALSE(CanRunPods(Check(host, config)));
  config.set_hypervisor("mock");
  EXPECT_EQ(Names(Complaints(Check(host, config))), "");
  EXPECT_EQ(host.programs_run, 0);
}

TEST(HostCheckTest, TheDaemonsOwnLockIsNoFault) {
  FakeHost host;
  host.file("/proc/locks").content =
      absl::StrCat("2: FLOCK  ADVISORY  WRITE 1 08:01:", host.file("/var/lib/vcd/lock").info.st_ino, " 0 EOF\n");
  EXPECT_THAT(Complaints(Check(host, GoodConfig(), /*serving=*/true)), IsEmpty());
}

TEST(HostCheckTest, QemuIsAskedOnceUntilItIsAnotherFileOrFails) {
  FakeHost host;
  ProgramAnswers answers;
  CheckHost(host, GoodConfig(), true, answers);
  const int asked = host.programs_run;
  CheckHost(host, GoodConfig(), true, answers);
  EXPECT_EQ(host.programs_run, asked);
  // An upgrade, to something that does not work …
  host.file(kHostQemu).info.st_ino = 4711;
  const std::string version = host.answers["-version"];
  host.answers.erase("-version");
  EXPECT_FALSE(CanRunPods(CheckHost(host, GoodConfig(), true, answers)));
  // … until what it lacked is installed.
  host.answers["-version"] = version;
  EXPECT_TRUE(CanRunPods(CheckHost(host, GoodConfig(), true, answers)));
}

TEST(HostCheckTest, TextHasTheRemedyBelowItsFault) {
  FakeHost host;
  host.Remove(kHostQemu);
  const std::string text = CheckText(Check(host, GoodConfig()));
  EXPECT_THAT(text, HasSubstr("error    qemu            there is no QEMU: /usr/bin/qemu-system-x86_64: No such file or "
                              "directory\n                      -> install the package qemu-system-x86"));
  EXPECT_THAT(text, HasSubstr("\nok       kernel          /usr/share/vcd/vmlinux"));
  EXPECT_THAT(text, testing::EndsWith("pods cannot run here\n"));
}

// A host that is held in its first look.
class SlowHost : public FakeHost {
 public:
  SlowHost(std::atomic<int>* looks, Completion<bool> entered, Completion<bool> leave)
      : looks_(looks), entered_(std::move(entered)), leave_(std::move(leave)) {}

  absl::Status TryKvm() const override {
    ++*looks_;
    entered_.Set(true);
    return leave_.Wait(Soon(), "leave").status();
  }

  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

 private:
  std::atomic<int>* const looks_;
  const Completion<bool> entered_;
  const Completion<bool> leave_;
};

TEST(HostCheckTest, ManyCallersShareTheNextLook) {
  std::atomic<int> looks{0};
  const Completion<bool> entered;
  const Completion<bool> leave;
  std::vector<Completion<bool>> done(5);
  {
    auto pool = std::make_unique<WorkerPool>(4);
    HostCheck check(std::make_unique<SlowHost>(&looks, entered, leave), GoodConfig(), *pool);
    const auto ask = [&check](const Completion<bool>& done) {
      check.Run([done](const v1::CheckResponse& response) { done.Set(CanRunPods(response)); });
    };
    ask(done[0]);
    ASSERT_TRUE(entered.Wait(SlowHost::Soon(), "look").ok());
    for (size_t i = 1; i < done.size(); ++i) ask(done[i]);
    leave.Set(true);
    for (const Completion<bool>& one : done) EXPECT_TRUE(*one.Wait(SlowHost::Soon(), "result"));
    ask(entered);
    pool.reset();
  }
  EXPECT_EQ(looks, 3);
}

}  // namespace
}  // namespace vcd
