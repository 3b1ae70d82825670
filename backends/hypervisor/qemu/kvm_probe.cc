// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/kvm_probe.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

constexpr int kApiVersion = 12;  // KVM_GET_API_VERSION has said so since Linux 2.6.22.
constexpr unsigned kTimeoutSeconds = 2;
constexpr size_t kPageBytes = 4096;
constexpr uint16_t kProbePort = 0x3f8;

// mov $0x3f8,%dx; mov $0x76,%al; out %al,(%dx)
constexpr uint8_t kGuestCode[] = {0xba, 0xf8, 0x03, 0xb0, 0x76, 0xee};

// Exit statuses of the child.
enum ProbeStep { kRan = 0, kCreateVm = 10, kSetMemory, kCreateVcpu, kMapVcpu, kSetRegisters, kRun, kOtherExit };

// In the child: only system calls, no allocation, as after a fork of many threads. The status is the step that failed.
ProbeStep RunGuest(int kvm, void* page) {
  memcpy(page, kGuestCode, sizeof(kGuestCode));
  const int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) return kCreateVm;
  kvm_userspace_memory_region region = {};
  region.guest_phys_addr = kPageBytes;
  region.memory_size = kPageBytes;
  region.userspace_addr = reinterpret_cast<uint64_t>(page);
  if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0) return kSetMemory;
  const int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  if (vcpu < 0) return kCreateVcpu;
  const int state_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (state_bytes < static_cast<int>(sizeof(kvm_run))) return kMapVcpu;
  void* state = mmap(nullptr, static_cast<size_t>(state_bytes), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (state == MAP_FAILED) return kMapVcpu;
  kvm_sregs segments;
  if (ioctl(vcpu, KVM_GET_SREGS, &segments) != 0) return kSetRegisters;
  segments.cs.base = 0;
  segments.cs.selector = 0;
  kvm_regs registers = {};
  registers.rip = kPageBytes;
  registers.rflags = 2;  // Bit 1 is always set.
  if (ioctl(vcpu, KVM_SET_SREGS, &segments) != 0 || ioctl(vcpu, KVM_SET_REGS, &registers) != 0) return kSetRegisters;
  if (ioctl(vcpu, KVM_RUN, 0) != 0) return kRun;
  const auto* run = static_cast<const kvm_run*>(state);
  return run->exit_reason == KVM_EXIT_IO && run->io.port == kProbePort ? kRan : kOtherExit;
}

const char* StepName(int step) {
  switch (step) {
    case kCreateVm:
      return "KVM_CREATE_VM";
    case kSetMemory:
      return "KVM_SET_USER_MEMORY_REGION";
    case kCreateVcpu:
      return "KVM_CREATE_VCPU";
    case kMapVcpu:
      return "the map of the vCPU";
    case kSetRegisters:
      return "KVM_SET_REGS";
    case kRun:
      return "KVM_RUN";
    default:
      return "the guest's I/O";
  }
}

// The first thing the child does. Its end is bounded from within, so that the parent may simply wait: KVM_RUN is
// interrupted by signals.
void DieInTime() {
  struct sigaction by_default = {};
  by_default.sa_handler = SIG_DFL;
  sigaction(SIGALRM, &by_default, nullptr);
  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &alarms, nullptr);
  alarm(kTimeoutSeconds);
}

absl::Status RunGuestInChild(int kvm) {
  void* page = mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return PosixError(errno, "mmap");
  const pid_t child = fork();
  if (child == 0) {
    DieInTime();
    _exit(RunGuest(kvm, page));
  }
  const int fork_error = errno;
  munmap(page, kPageBytes);
  if (child < 0) return PosixError(fork_error, "fork");
  int status = 0;
  pid_t waited;
  do {
    waited = waitpid(child, &status, 0);
  } while (waited < 0 && errno == EINTR);
  if (waited < 0) return PosixError(errno, "waitpid");
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    return absl::DeadlineExceededError("three instructions do not end within two seconds");
  }
  if (!WIFEXITED(status)) return absl::InternalError(absl::StrCat("the probe died of signal ", WTERMSIG(status)));
  if (WEXITSTATUS(status) == kRan) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(StepName(WEXITSTATUS(status)), " fails"));
}

}  // namespace

absl::Status ProbeKvm(const KvmPaths& paths) {
  UniqueFd kvm(open(paths.device.c_str(), O_RDWR | O_CLOEXEC));
  if (!kvm.valid()) return PosixError(errno, absl::StrCat("open ", paths.device));
  const int version = ioctl(kvm.get(), KVM_GET_API_VERSION, 0);
  if (version != kApiVersion) {
    return absl::FailedPreconditionError(absl::StrCat(paths.device, " is not KVM with API ", kApiVersion));
  }
  // Software virtualisation for guests made for it: everything here succeeds, and a stock kernel hangs.
  struct stat info;
  if (stat(absl::StrCat(paths.modules, "/kvm_pvm").c_str(), &info) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(paths.device, " belongs to kvm_pvm, under which stock guests hang"));
  }
  return Annotate(RunGuestInChild(kvm.get()), "test guest");
}

}  // namespace vcd
