// SPDX-License-Identifier: Apache-2.0
// Every fault is found on a host that has it, and no other is.
#include "daemon/check/faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/check/host_check.h"
#include "daemon/check/testing/complaints.h"
#include "daemon/check/testing/fake_host.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Config = config::v1::DaemonConfig;

struct Broken {
  std::string name;
  std::set<Fault> faults;
  std::function<void(FakeHost& host, Config& config)> change;
  std::string words = "";  // In the first fault's detail.
};

void SetMemory(FakeHost& host, const std::string& line) {
  std::string& info = host.file("/proc/meminfo").content;
  info = line + "\n" + info;
}

void Mount(FakeHost& host, const std::string& line) { host.file("/proc/self/mountinfo").content += line + "\n"; }

void Space(FakeHost& host, FilesystemSpace space) { host.spaces["/var/lib/vcd"] = space; }

constexpr uint64_t kMany = 1000000;

const Broken kBroken[] = {
    {"KvmConfigured",
     {Fault::kKvmConfigured, Fault::kKvmBroken},
     [](FakeHost& h, Config& c) {
       c.mutable_qemu()->set_accelerator("kvm");
       h.kvm = absl::FailedPreconditionError("test guest: KVM_RUN fails");
     },
     "KVM_RUN fails"},
    {"NestingOff", {Fault::kNestingOff}, [](FakeHost& h, Config&) { h.RemoveKvm("fpu hypervisor sse"); }},
    {"NoVirtualization", {Fault::kNoVirtualization}, [](FakeHost& h, Config&) { h.RemoveKvm("fpu sse"); }},
    {"KvmMissing", {Fault::kKvmMissing}, [](FakeHost& h, Config&) { h.RemoveKvm("fpu svm"); }},
    {"KvmMissingInAVirtualMachine", {Fault::kKvmMissing}, [](FakeHost& h, Config&) { h.RemoveKvm("hypervisor vmx"); }},
    {"KvmDenied",
     {Fault::kKvmDenied},
     [](FakeHost& h, Config&) {
       h.kvm = absl::PermissionDeniedError("open /dev/kvm: Permission denied");
       h.file("/dev/kvm").denied = W_OK;
     }},
    {"KvmPvm",
     {Fault::kKvmPvm},
     [](FakeHost& h, Config&) {
       h.kvm = absl::FailedPreconditionError("belongs to kvm_pvm");
       h.Add("/sys/module/kvm_pvm", "", S_IFDIR | 0755);
     }},
    {"KvmBroken",
     {Fault::kKvmBroken},
     [](FakeHost& h, Config&) { h.kvm = absl::DeadlineExceededError("three instructions do not end"); }},
    {"QemuMissing", {Fault::kQemuMissing}, [](FakeHost& h, Config&) { h.Remove(kHostQemu); }, kHostQemu},
    {"QemuNotExecutable",
     {Fault::kQemuNotExecutable},
     [](FakeHost& h, Config&) { h.file(kHostQemu).denied = X_OK; },
     "Permission denied"},
    {"QemuIsADirectory",
     {Fault::kQemuNotExecutable},
     [](FakeHost& h, Config&) { h.Add(kHostQemu, "", S_IFDIR | 0755); },
     "is no file"},
    {"QemuBroken", {Fault::kQemuBroken}, [](FakeHost& h, Config&) { h.answers.erase("-version"); }, "libx.so"},
    {"QemuIsAnotherProgram",
     {Fault::kQemuBroken},
     [](FakeHost& h, Config&) { h.answers["-version"] = "hello\n"; },
     "is no QEMU"},
    {"QemuHasNoList", {Fault::kQemuBroken}, [](FakeHost& h, Config&) { h.answers.erase("-object help"); }},
    {"QemuOld",
     {Fault::kQemuOld},
     [](FakeHost& h, Config&) { h.answers["-version"] = "QEMU emulator version 6.2.0\n"; },
     "version 6.2"},
    {"QemuPartMissing",
     {Fault::kQemuPartMissing},
     [](FakeHost& h, Config&) {
       h.answers["-device help"] = "name \"vhost-user-fs-pci\"\nname \"scsi-hd-x\"\n";
       h.answers["-machine help"] = "pc-q35-7.2 x\n";
     },
     "device scsi-hd, device virtio-rng-pci, device pcie-root-port, machine q35"},
    {"QemuWithoutShares",
     {Fault::kQemuWithoutShares},
     [](FakeHost& h, Config&) {
       std::string& help = h.answers["-device help"];
       help.resize(help.find("name \"vhost-user-fs-pci\""));
     }},
    {"FirmwareMissing",
     {Fault::kFirmwareMissing},
     [](FakeHost& h, Config&) { h.Remove("/usr/share/qemu/qboot.rom"); },
     "/usr/share/qemu/qboot.rom: No such file"},
    {"FirmwareEmpty",
     {Fault::kFirmwareMissing},
     [](FakeHost& h, Config&) { h.Add("/usr/share/qemu/qboot.rom"); },
     "is empty"},
    {"KernelMissing", {Fault::kKernelMissing}, [](FakeHost& h, Config&) { h.Remove(kHostKernel); }, kHostKernel},
    {"KernelDenied",
     {Fault::kKernelMissing},
     [](FakeHost& h, Config&) { h.file(kHostKernel).denied = R_OK; },
     "denied"},
    {"KernelCompressed",
     {Fault::kKernelCompressed},
     [](FakeHost& h, Config&) { h.file(kHostKernel).content = "\x1f\x8b" + std::string(1000, 'x'); },
     "gzip"},
    {"KernelIsText", {Fault::kKernelKind}, [](FakeHost& h, Config&) { h.file(kHostKernel).content.assign(4096, 'x'); }},
    {"KernelIsShort",
     {Fault::kKernelKind},
     [](FakeHost& h, Config&) { h.file(kHostKernel).content = "x"; },
     "vmlinux, of 1 bytes"},
    {"KernelIsCutOff",
     {Fault::kKernelKind},
     [](FakeHost& h, Config&) { h.file(kHostKernel).content.resize(100); },
     "vmlinux is damaged or no kernel: its program headers are beyond the end of the file, of 100 bytes"},
    {"KernelOfAnotherMachine",
     {Fault::kKernelKind},
     [](FakeHost& h, Config&) { h.file(kHostKernel).content[18] = static_cast<char>(183); },
     "another machine"},
    {"KernelWithoutPvh",
     {Fault::kKernelWithoutPvh},
     [](FakeHost& h, Config&) {
       std::string& image = h.file(kHostKernel).content;
       image.replace(image.find("Xen"), 3, "Abc");
     }},
    {"InitrdMissing", {Fault::kInitrdMissing}, [](FakeHost& h, Config&) { h.Remove(kHostInitrd); }, kHostInitrd},
    {"InitrdCompressed",
     {Fault::kInitrdCompressed},
     [](FakeHost& h, Config&) { h.file(kHostInitrd).content = "\x28\xb5\x2f\xfd..."; },
     "zstd"},
    {"InitrdIsText", {Fault::kInitrdKind}, [](FakeHost& h, Config&) { h.file(kHostInitrd).content.assign(999, 'x'); }},
    {"InitrdEmpty", {Fault::kInitrdKind}, [](FakeHost& h, Config&) { h.file(kHostInitrd).content = ""; }},
    {"InitrdWithoutAgent",
     {Fault::kInitrdWithoutAgent},
     [](FakeHost& h, Config&) {
       std::string& archive = h.file(kHostInitrd).content;
       archive.replace(archive.find("init"), 4, "exit");
     }},
    {"InitrdCutOff",
     {Fault::kInitrdWithoutAgent},
     [](FakeHost& h, Config&) { h.file(kHostInitrd).content.resize(h.file(kHostInitrd).content.find("init") - 4); }},
    {"VirtiofsdMissing", {Fault::kVirtiofsdMissing}, [](FakeHost& h, Config&) { h.Remove(kHostVirtiofsd); }},
    {"VirtiofsdNotExecutable",
     {Fault::kVirtiofsdNotExecutable},
     [](FakeHost& h, Config&) { h.file(kHostVirtiofsd).denied = X_OK; }},
    {"MemoryShort",
     {Fault::kMemoryShort},
     [](FakeHost& h, Config&) { SetMemory(h, "MemAvailable: 102400 kB"); },
     "100 MiB available, a pod has 128"},
    {"Overcommit",
     {Fault::kOvercommit},
     [](FakeHost& h, Config&) {
       h.file("/proc/sys/vm/overcommit_memory").content = "2\n";
       SetMemory(h, "CommitLimit: 1100000 kB");
     }},
    {"NoHugePages", {Fault::kNoHugePages}, [](FakeHost& h, Config&) { SetMemory(h, "HugePages_Total: 0"); }},
    {"NoCgroups",
     {Fault::kNoCgroups},
     [](FakeHost& h, Config&) { h.file("/proc/self/mountinfo").content = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"; }},
    {"CgroupControllers",
     {Fault::kCgroupControllers},
     [](FakeHost& h, Config&) { h.file("/sys/fs/cgroup/cgroup.controllers").content = "cpu cpuset io\n"; },
     "memory, pids"},
    {"CgroupReadOnly",
     {Fault::kCgroupReadOnly},
     [](FakeHost& h, Config&) { Mount(h, "30 22 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw"); }},
    {"DirectoryIsAFile",
     {Fault::kDirectoryIsNone},
     [](FakeHost& h, Config&) {
       h.Remove("/var/lib/vcd");
       h.Add("/var/lib/vcd");
     },
     "/var/lib/vcd is no directory"},
    {"DirectoryDenied", {Fault::kDirectoryDenied}, [](FakeHost& h, Config&) { h.file("/run/vcd").denied = W_OK; }},
    {"ParentDenied",
     {Fault::kDirectoryDenied},
     [](FakeHost& h, Config& c) {
       c.set_state_dir("/srv/a/b");
       h.Add("/srv", "", S_IFDIR | 0755).denied = W_OK;
     },
     "/srv"},
    {"DirectoryReadOnly",
     {Fault::kDirectoryReadOnly},
     [](FakeHost& h, Config&) {
       Space(h, {uint64_t{1} << 30, kMany, kMany, true});
     },
     "/var/lib/vcd"},
    {"DirectoryFull",
     {Fault::kDirectoryFull},
     [](FakeHost& h, Config&) {
       Space(h, {1 << 20, kMany, kMany, false});
     },
     "1 MiB free"},
    {"DirectoryLow",
     {Fault::kDirectoryLow},
     [](FakeHost& h, Config&) {
       Space(h, {50 << 20, kMany, kMany, false});
     },
     "50 MiB free"},
    {"DirectoryInodes",
     {Fault::kDirectoryInodes},
     [](FakeHost& h, Config&) {
       Space(h, {uint64_t{1} << 30, kMany, 3, false});
     },
     "3 free"},
    {"DirectoryOnNfs",
     {Fault::kDirectoryNetwork},
     [](FakeHost& h, Config&) { Mount(h, "40 22 0:50 / /var/lib rw - nfs4 server:/x rw"); },
     "nfs4"},
    {"DirectoryOnFuse",
     {Fault::kDirectoryNetwork},
     [](FakeHost& h, Config&) { Mount(h, "40 22 0:50 / /run/vcd rw - fuse.sshfs x rw"); },
     "fuse.sshfs"},
    {"HostKernelOld",
     {Fault::kHostKernelOld},
     [](FakeHost& h, Config&) { h.file("/proc/sys/kernel/osrelease").content = "5.10.0-28-amd64\n"; },
     "5.10"},
    {"SystemCalls",
     {Fault::kSystemCalls},
     [](FakeHost& h, Config&) {
       h.missing_calls = {SYS_close_range, SYS_pidfd_open};
     },
     "pidfd_open, close_range"},
    {"MountCalls",
     {Fault::kMountCalls},
     [](FakeHost& h, Config&) {
       h.missing_calls = {SYS_open_tree, 442};
     },
     "open_tree, mount_setattr"},
    {"NoSeccomp", {Fault::kNoSeccomp}, [](FakeHost& h, Config&) { h.Remove("/proc/sys/kernel/seccomp"); }},
    {"NoUserNamespaces",
     {Fault::kNoUserNamespaces},
     [](FakeHost& h, Config&) { h.file("/proc/sys/user/max_user_namespaces").content = "0\n"; }},
    {"UserNamespacesDenied",
     {Fault::kNoUserNamespaces, Fault::kNotRoot},
     [](FakeHost& h, Config&) {
       h.file("/proc/sys/kernel/unprivileged_userns_clone").content = "0\n";
       h.user = 1000;
     }},
    {"NotRoot", {Fault::kNotRoot}, [](FakeHost& h, Config&) { h.user = 1000; }, "user 1000"},
    {"UidRangeTaken",
     {Fault::kUidRangeTaken},
     [](FakeHost& h, Config&) { h.file("/etc/passwd").content += "guest:x:1879048200:1::/:/bin/sh\n"; },
     "guest (1879048200)"},
    {"SubuidRangeTaken",
     {Fault::kSubuidRangeTaken},
     [](FakeHost& h, Config&) { h.file("/etc/subuid").content += "you:1879040000:65536\n"; },
     "/etc/subuid: you:"},
    {"SubgidRangeTaken",
     {Fault::kSubuidRangeTaken},
     [](FakeHost& h, Config&) { h.file("/etc/subgid").content += "you:2147352575:1\n"; },
     "/etc/subgid: you:"},
    {"NoTap", {Fault::kNoTap}, [](FakeHost& h, Config&) { h.Remove("/dev/net"); }},
    {"NoVhostNet", {Fault::kNoVhostNet}, [](FakeHost& h, Config&) { h.Remove("/dev/vhost-net"); }},
    {"NoVsock", {Fault::kNoVsock}, [](FakeHost& h, Config&) { h.Remove("/dev/vhost-vsock"); }},
    {"NoVfio", {Fault::kNoVfio}, [](FakeHost& h, Config&) { h.Remove("/dev/vfio"); }},
    {"NoIommu", {Fault::kNoIommu}, [](FakeHost& h, Config&) { h.Remove("/sys/kernel/iommu_groups/0"); }},
    {"NoCniPlugins", {Fault::kNoCniPlugins}, [](FakeHost& h, Config&) { h.Remove("/opt/cni"); }},
    {"NoCniPluginsWhereTheyAreLookedFor",
     {Fault::kNoCniPlugins},
     [](FakeHost&, Config& c) {
       c.mutable_networks()->clear_cni_plugin_dirs();
       c.mutable_networks()->add_cni_plugin_dirs("/srv/cni");
     },
     "/srv/cni"},
    {"NoErofsUtils", {Fault::kNoErofsUtils}, [](FakeHost& h, Config&) { h.Remove("/usr/bin/mkfs.erofs"); }},
    {"FewDescriptors",
     {Fault::kFewDescriptors},
     [](FakeHost& h, Config&) {
       h.limits[RLIMIT_NOFILE] = {1024, 4096};
     },
     "4096"},
    {"FewProcesses",
     {Fault::kFewProcesses, Fault::kNotRoot},
     [](FakeHost& h, Config&) {
       h.user = 1000;
       h.limits[RLIMIT_NPROC] = {100, 200};
     }},
    {"FewPids", {Fault::kFewPids}, [](FakeHost& h, Config&) { h.file("/proc/sys/kernel/pid_max").content = "4096\n"; }},
    {"FewThreads",
     {Fault::kFewThreads},
     [](FakeHost& h, Config&) { h.file("/proc/sys/kernel/threads-max").content = "1000\n"; }},
    {"CoreFiles",
     {Fault::kCoreFiles},
     [](FakeHost& h, Config&) {
       h.limits[RLIMIT_CORE] = {1, 1};
     }},
    {"CorePipe",
     {Fault::kCorePipe},
     [](FakeHost& h, Config&) {
       h.limits[RLIMIT_CORE] = {1, 1};
       h.file("/proc/sys/kernel/core_pattern").content = "|/usr/lib/collector %p\n";
     },
     "/usr/lib/collector"},
    {"ClockEarly", {Fault::kClockEarly}, [](FakeHost& h, Config&) { h.now = absl::UnixEpoch(); }, "1970"},
    {"ClockBack",
     {Fault::kClockBack},
     [](FakeHost& h, Config&) { h.file("/var/lib/vcd").info.st_mtim.tv_sec = absl::ToTimeT(h.now + absl::Hours(48)); }},
    {"NoGroup", {Fault::kNoGroup}, [](FakeHost& h, Config&) { h.groups.clear(); }},
    {"SocketDirectoryOpen",
     {Fault::kSocketDirectoryOpen},
     [](FakeHost& h, Config&) { h.file("/run/vcd").info.st_mode = S_IFDIR | 0777; },
     "mode 777"},
    {"SocketOpen",
     {Fault::kSocketOpen},
     [](FakeHost& h, Config&) { h.file("/run/vcd/vcd.sock").info.st_mode = S_IFSOCK | 0666; },
     "mode 666"},
    {"SocketPathTaken", {Fault::kSocketPathTaken}, [](FakeHost& h, Config&) { h.Add("/run/vcd/vcd.sock"); }},
    {"ListenTcp", {Fault::kListenTcp}, [](FakeHost&, Config& c) { c.set_listen("tcp://127.0.0.1:7000"); }},
    {"MetricsOpen",
     {Fault::kMetricsOpen},
     [](FakeHost&, Config& c) { c.mutable_metrics()->set_listen("0.0.0.0:9000"); },
     "0.0.0.0:9000"},
    {"DaemonRuns",
     {Fault::kDaemonRuns},
     [](FakeHost& h, Config&) {
       const ino_t inode = h.file("/var/lib/vcd/lock").info.st_ino;
       h.file("/proc/locks").content += absl::StrCat("2: FLOCK  ADVISORY  WRITE 4321 08:01:", inode, " 0 EOF\n");
     },
     "process 4321"},
};

class BrokenHostTest : public testing::TestWithParam<Broken> {};

TEST_P(BrokenHostTest, IsRecognisedWithItsRemedyAndNothingElseIs) {
  FakeHost host;
  Config config = GoodConfig();
  GetParam().change(host, config);
  const v1::CheckResponse response = Check(host, config);
  const std::vector<v1::CheckResult> complaints = Complaints(response);
  ASSERT_EQ(complaints.size(), GetParam().faults.size()) << Names(complaints);
  bool can_run = true;
  for (const v1::CheckResult& complaint : complaints) {
    const FaultText* found = nullptr;
    for (const Fault fault : GetParam().faults) {
      if (TextOf(fault).remedy == complaint.remedy() && complaint.name() == TextOf(fault).check) found = &TextOf(fault);
    }
    ASSERT_NE(found, nullptr) << complaint.detail();
    EXPECT_EQ(complaint.level(), found->level);
    EXPECT_THAT(complaint.detail(), StartsWith(found->what));
    if (found->level == v1::CHECK_LEVEL_ERROR) can_run = false;
  }
  EXPECT_THAT(complaints[0].detail(), HasSubstr(GetParam().words));
  EXPECT_EQ(CanRunPods(response), can_run);
}

INSTANTIATE_TEST_SUITE_P(Faults, BrokenHostTest, testing::ValuesIn(kBroken),
                         [](const testing::TestParamInfo<Broken>& info) { return info.param.name; });

TEST(FaultsTest, EveryFaultIsTried) {
  std::set<Fault> tried;
  for (const Broken& broken : kBroken) tried.insert(broken.faults.begin(), broken.faults.end());
  for (const FaultText& fault : AllFaults()) EXPECT_EQ(tried.count(fault.fault), 1u) << fault.what;
}

const char* LevelName(v1::CheckLevel level) {
  return level == v1::CHECK_LEVEL_ERROR ? "error" : level == v1::CHECK_LEVEL_WARNING ? "warning" : "info";
}

TEST(FaultsTest, TheGuideTellsOfEveryFault) {
  std::ifstream file("docs/guides/check.md");
  std::ostringstream page;
  page << file.rdbuf();
  std::string table = "| check | level | what is found | what to do |\n| --- | --- | --- | --- |\n";
  for (const FaultText& fault : AllFaults()) {
    absl::StrAppend(&table, "| `", fault.check, "` | ", LevelName(fault.level), " | ", fault.what, " | ", fault.remedy,
                    " |\n");
  }
  EXPECT_THAT(page.str(), HasSubstr(table));
}

}  // namespace
}  // namespace vcd
