// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/faults.h"

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

constexpr v1::CheckLevel kInfo = v1::CHECK_LEVEL_INFO;
constexpr v1::CheckLevel kWarning = v1::CHECK_LEVEL_WARNING;
constexpr v1::CheckLevel kError = v1::CHECK_LEVEL_ERROR;

constexpr FaultText kFaults[] = {
    {Fault::kKvmConfigured, "accelerator", kError, "`qemu.accelerator` is kvm, and no guest runs under KVM",
     "set `qemu.accelerator` to auto or tcg, or put right what the next result says"},
    {Fault::kNestingOff, "accelerator", kWarning,
     "this host is a virtual machine whose CPU has no vmx or svm, so pods are emulated (TCG)",
     "switch nested virtualisation on for this machine in its own hypervisor"},
    {Fault::kNoVirtualization, "accelerator", kWarning, "the CPU has no vmx or svm, so pods are emulated (TCG)",
     "switch virtualisation (VT-x, AMD-V, SVM) on in the firmware setup"},
    {Fault::kKvmMissing, "accelerator", kWarning, "the CPU can, but /dev/kvm is missing, so pods are emulated (TCG)",
     "`modprobe kvm_intel` or `modprobe kvm_amd`; in a container, give it the device /dev/kvm"},
    {Fault::kKvmDenied, "accelerator", kWarning, "/dev/kvm may not be opened, so pods are emulated (TCG)",
     "run vcd as root, or as a member of the group that /dev/kvm belongs to"},
    {Fault::kKvmPvm, "accelerator", kWarning,
     "stock guests do not run under this host's KVM, so pods are emulated (TCG)",
     "use a host with hardware virtualisation, or nested virtualisation by its hypervisor"},
    {Fault::kKvmBroken, "accelerator", kWarning, "a test guest does not run under /dev/kvm, so pods are emulated (TCG)",
     "look for kvm in `dmesg`; another hypervisor may hold the CPU's virtualisation"},
    {Fault::kQemuMissing, "qemu", kError, "there is no QEMU",
     "install the package qemu-system-x86, or set `qemu.path`"},
    {Fault::kQemuNotExecutable, "qemu", kError, "QEMU cannot be executed",
     "`chmod 0755` it, or set `qemu.path` to the program qemu-system-x86_64"},
    {Fault::kQemuBroken, "qemu", kError, "QEMU does not tell its version", "reinstall the package qemu-system-x86"},
    {Fault::kQemuOld, "qemu", kError, "QEMU is too old", "install QEMU 7.0 or later, or set `qemu.path` to one"},
    {Fault::kQemuPartMissing, "qemu", kError, "this QEMU lacks what every pod's machine has",
     "install the distribution's whole qemu-system-x86, or build QEMU with these"},
    {Fault::kQemuWithoutShares, "qemu", kWarning, "this QEMU has no vhost-user-fs-pci, so pods get no host directories",
     "install a QEMU that has it, or use images as root file systems"},
    {Fault::kFirmwareMissing, "firmware", kError, "the firmware cannot be read",
     "install the package qemu-system-data, or set `qemu.firmware_path`"},
    {Fault::kKernelMissing, "kernel", kError, "the guest's kernel cannot be read",
     "build one with `bazel build //guest/image`, or set `qemu.kernel_path`"},
    {Fault::kKernelCompressed, "kernel", kError, "the guest's kernel is compressed as a whole",
     "unpack it: QEMU boots a plain vmlinux, or a bzImage, which unpacks itself"},
    {Fault::kKernelKind, "kernel", kError, "the guest's kernel is neither a vmlinux for x86-64 nor a bzImage",
     "set `qemu.kernel_path` to the vmlinux that `bazel build //guest/image` makes"},
    {Fault::kKernelWithoutPvh, "kernel", kError, "the guest's vmlinux has no PVH entry",
     "build the kernel with CONFIG_PVH=y, or use its bzImage"},
    {Fault::kInitrdMissing, "initramfs", kError, "the guest's initramfs cannot be read",
     "build one with `bazel build //guest/image`, or set `qemu.initrd_path`"},
    {Fault::kInitrdCompressed, "initramfs", kWarning, "the guest's initramfs is compressed, which every boot pays for",
     "unpack it: a plain cpio archive of the newc format boots fastest"},
    {Fault::kInitrdKind, "initramfs", kError, "the guest's initramfs is no cpio archive of the newc format",
     "set `qemu.initrd_path` to the initramfs.cpio that `bazel build //guest/image` makes"},
    {Fault::kInitrdWithoutAgent, "initramfs", kError, "the guest's initramfs has no program /init, which is the agent",
     "set `qemu.initrd_path` to the initramfs.cpio that `bazel build //guest/image` makes"},
    {Fault::kVirtiofsdMissing, "virtiofsd", kWarning, "there is no virtiofsd, so pods get no host directories",
     "install the package qemu-system-common or virtiofsd, or set `qemu.virtiofsd_path`"},
    {Fault::kVirtiofsdNotExecutable, "virtiofsd", kWarning,
     "virtiofsd cannot be executed, so pods get no host directories", "`chmod 0755` it, or set `qemu.virtiofsd_path`"},
    {Fault::kMemoryShort, "memory", kError, "not enough memory is available for one pod",
     "free memory, or set `qemu.default_memory_mib` to less"},
    {Fault::kOvercommit, "memory", kError, "the kernel counts memory strictly, and has none left to promise to a pod",
     "`sysctl vm.overcommit_memory=0`, or raise vm.overcommit_ratio"},
    {Fault::kNoHugePages, "huge_pages", kInfo, "no huge pages are reserved, so pods that ask for them do not start",
     "`sysctl vm.nr_hugepages=N`, if pods are to have `huge_pages`"},
    {Fault::kNoCgroups, "cgroups", kWarning, "no control groups are mounted, so processes of pods are not limited",
     "`mount -t cgroup2 cgroup2 /sys/fs/cgroup`, or set `confinement.cgroup` to none"},
    {Fault::kCgroupControllers, "cgroups", kWarning,
     "control groups lack controllers, so processes of pods are limited in part",
     "boot without `cgroup_disable=`, and enable them in the parent's cgroup.subtree_control"},
    {Fault::kCgroupReadOnly, "cgroups", kWarning,
     "control groups are mounted read-only, so processes of pods are not limited",
     "run vcd outside of the container, or mount /sys/fs/cgroup writable in it"},
    {Fault::kDirectoryIsNone, "directories", kError, "a directory of vcd is something else",
     "move it away, or choose others with --state-dir and --run-dir"},
    {Fault::kDirectoryDenied, "directories", kError, "a directory of vcd may not be written to",
     "run vcd as its owner, or choose others with --state-dir and --run-dir"},
    {Fault::kDirectoryReadOnly, "directories", kError, "a directory of vcd is on a read-only file system",
     "remount it writable, or choose others with --state-dir and --run-dir"},
    {Fault::kDirectoryFull, "directories", kError, "a directory of vcd is on a full file system",
     "free space there: records of pods need some megabytes"},
    {Fault::kDirectoryLow, "directories", kWarning, "a directory of vcd is on a file system that is nearly full",
     "free space there: logs of containers are lost when it is full"},
    {Fault::kDirectoryInodes, "directories", kError, "a directory of vcd is on a file system without free inodes",
     "remove files there: every pod needs a dozen"},
    {Fault::kDirectoryNetwork, "directories", kWarning, "a directory of vcd is on a network or FUSE file system",
     "choose local ones with --state-dir and --run-dir: locks, sockets and fsync are not sure to work there"},
    {Fault::kHostKernelOld, "host_kernel", kError, "this host's kernel is too old", "boot Linux 5.11 or later"},
    {Fault::kSystemCalls, "system_calls", kError, "the kernel refuses system calls that vcd needs",
     "boot Linux 5.11 or later; in a container, let its seccomp profile pass them"},
    {Fault::kMountCalls, "system_calls", kWarning,
     "the kernel refuses system calls for idmapped mounts, so files of host directories have their own owners",
     "boot Linux 5.12 or later; in a container, let its seccomp profile pass them"},
    {Fault::kNoSeccomp, "seccomp", kError, "the kernel has no seccomp filters, which QEMU is started with",
     "boot a kernel with CONFIG_SECCOMP_FILTER=y"},
    {Fault::kNoUserNamespaces, "user_namespaces", kWarning, "user namespaces are switched off",
     "`sysctl user.max_user_namespaces=10000`, and kernel.unprivileged_userns_clone=1 where vcd is not root"},
    {Fault::kNotRoot, "privileges", kWarning,
     "vcd is not root, so pods get no host directories and their processes no users of their own",
     "run vcd as root, or set `confinement.user` to root and use images as root file systems"},
    {Fault::kUidRangeTaken, "uid_range", kWarning, "a user of this host is in the range of user ids for pods",
     "set `confinement.first_uid` and `confinement.uid_count` to a range that nobody has"},
    {Fault::kSubuidRangeTaken, "uid_range", kWarning, "the range of user ids for pods is given to somebody else too",
     "set `confinement.first_uid` and `confinement.uid_count`, or change /etc/subuid and /etc/subgid"},
    {Fault::kNoTap, "tap", kInfo, "/dev/net/tun is missing, so pods cannot be joined to networks",
     "`modprobe tun`, if pods are to have a network"},
    {Fault::kNoVhostNet, "vhost_net", kInfo, "/dev/vhost-net is missing, so networks of pods are slower",
     "`modprobe vhost_net`, if pods are to have a network"},
    {Fault::kNoVsock, "vsock", kInfo, "/dev/vhost-vsock is missing; vcd does without",
     "`modprobe vhost_vsock`, if guests are to have it"},
    {Fault::kNoVfio, "vfio", kInfo, "/dev/vfio/vfio is missing, so no devices of the host can be passed through",
     "`modprobe vfio-pci`, if pods are to have devices of the host"},
    {Fault::kNoIommu, "vfio", kInfo, "the host has no IOMMU groups, so no devices of it can be passed through",
     "switch the IOMMU (VT-d, AMD-Vi) on in the firmware setup, and boot with intel_iommu=on"},
    {Fault::kNoCniPlugins, "cni", kInfo, "there are no CNI plugins",
     "install the package containernetworking-plugins, if pods are to have a network"},
    {Fault::kNoErofsUtils, "images", kInfo, "there is no mkfs.erofs to build images with",
     "install the package erofs-utils, if images are built here"},
    {Fault::kFewDescriptors, "limits", kWarning, "few files may be open at once (RLIMIT_NOFILE)",
     "raise it: LimitNOFILE=1048576 in vcd.service, or `ulimit -Hn`; a pod takes about ten"},
    {Fault::kFewProcesses, "limits", kWarning, "few processes may run at once (RLIMIT_NPROC)",
     "raise it: LimitNPROC=infinity in vcd.service, or `ulimit -Hu`; a pod takes several, with their threads"},
    {Fault::kFewPids, "limits", kWarning, "the kernel has few process ids", "`sysctl kernel.pid_max=4194304`"},
    {Fault::kFewThreads, "limits", kWarning, "the kernel allows few threads", "`sysctl kernel.threads-max=100000`"},
    {Fault::kCoreFiles, "core_dumps", kInfo, "a crash of QEMU writes the guest's memory into a file",
     "LimitCORE=0 in vcd.service, or `ulimit -c 0`"},
    {Fault::kCorePipe, "core_dumps", kInfo, "a crash of QEMU hands the guest's memory to the program in core_pattern",
     "LimitCORE=0 in vcd.service, or configure that program to drop it"},
    {Fault::kClockEarly, "clock", kWarning, "the clock is in the past, and so will be the guests'",
     "set it, and run a service for that, such as systemd-timesyncd"},
    {Fault::kClockBack, "clock", kWarning, "the clock is behind what vcd wrote last",
     "set it; until then times in records and logs go backwards"},
    {Fault::kNoGroup, "socket", kInfo, "there is no group `vcd`, so only root can use the socket",
     "`groupadd --system vcd`, and add the users of `vc` to it"},
    {Fault::kSocketDirectoryOpen, "socket", kWarning,
     "everybody may replace the socket: all may write to its directory",
     "`chmod o-w` that directory, or choose another with --listen"},
    {Fault::kSocketOpen, "socket", kWarning, "everybody may use the socket, and so control the host's pods",
     "`chmod 0660` it; who uses it is as good as root"},
    {Fault::kSocketPathTaken, "socket", kError, "where the socket is to be is something else",
     "move that away, or choose another path with --listen"},
    {Fault::kListenTcp, "socket", kWarning, "every user of this host may use the TCP port, and so control its pods",
     "listen on a Unix socket: --listen unix:///run/vcd/vcd.sock"},
    {Fault::kMetricsOpen, "metrics", kWarning, "other hosts can read the metrics, which no password protects",
     "set `metrics.listen` to unix:///PATH or 127.0.0.1:PORT"},
    {Fault::kDaemonRuns, "daemon", kWarning, "another vcd uses these directories, so this one would not start",
     "ask that one with `vc check`, or choose others with --state-dir and --run-dir"},
};

constexpr bool InOrder() {
  for (size_t i = 0; i < std::size(kFaults); ++i) {
    if (static_cast<size_t>(kFaults[i].fault) != i) return false;
  }
  return std::size(kFaults) == static_cast<size_t>(Fault::kCount);
}
static_assert(InOrder(), "kFaults has every fault at its own place");

}  // namespace

absl::Span<const FaultText> AllFaults() { return kFaults; }

const FaultText& TextOf(Fault fault) { return kFaults[static_cast<size_t>(fault)]; }

void Findings::Good(const std::string& check, const std::string& detail) {
  v1::CheckResult& result = results_.emplace_back();
  result.set_name(check);
  result.set_ok(true);
  result.set_detail(detail);
}

void Findings::Bad(Fault fault, const std::string& detail) {
  const FaultText& text = TextOf(fault);
  v1::CheckResult& result = results_.emplace_back();
  result.set_name(text.check);
  result.set_ok(false);
  result.set_level(text.level);
  result.set_detail(detail.empty() ? text.what : absl::StrCat(text.what, ": ", detail));
  result.set_remedy(text.remedy);
}

}  // namespace vcd
