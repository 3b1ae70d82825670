// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/device_rules.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::DeviceNode;

constexpr int32_t kAnyMinor = -1;

struct DeviceNumber {
  int32_t major;
  int32_t minor;
};

constexpr DeviceNumber kStandard[] = {
    {1, 3},            // null
    {1, 5},            // zero
    {1, 7},            // full
    {1, 8},            // random
    {1, 9},            // urandom
    {5, 0},            // tty
    {5, 2},            // ptmx
    {136, kAnyMinor},  // pts/N
};

// Verdicts of the kernel's question "may this process open this device?", one rule after the other.
class Program {
 public:
  // Registers of the program: r1 is where the question is, as struct bpf_cgroup_dev_ctx.
  static constexpr uint8_t kVerdict = BPF_REG_0;
  static constexpr uint8_t kQuestion = BPF_REG_1;
  static constexpr uint8_t kType = BPF_REG_2;
  static constexpr uint8_t kMajor = BPF_REG_3;
  static constexpr uint8_t kMinor = BPF_REG_4;
  static constexpr uint8_t kAccess = BPF_REG_5;

  Program() {
    Load(kType, offsetof(bpf_cgroup_dev_ctx, access_type));
    Load(kMajor, offsetof(bpf_cgroup_dev_ctx, major));
    Load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor));
    Add({BPF_ALU64 | BPF_MOV | BPF_X, kAccess, kType, 0, 0});
    Add({BPF_ALU64 | BPF_RSH | BPF_K, kAccess, 0, 0, 16});
    Add({BPF_ALU64 | BPF_AND | BPF_K, kType, 0, 0, 0xffff});
    SkipUnless(kAccess, BPF_DEVCG_ACC_MKNOD, 2);
    Answer(1);
  }

  void Allow(int32_t type, const DeviceNumber& number) {
    const bool any_minor = number.minor == kAnyMinor;
    SkipUnless(kType, type, any_minor ? 3 : 4);
    SkipUnless(kMajor, number.major, any_minor ? 2 : 3);
    if (!any_minor) SkipUnless(kMinor, number.minor, 2);
    Answer(1);
  }

  // With what no rule allowed refused.
  const std::vector<bpf_insn>& Finish() {
    Answer(0);
    return code_;
  }

 private:
  void Add(const bpf_insn& instruction) { code_.push_back(instruction); }
  void Load(uint8_t into, size_t offset) {
    Add({BPF_LDX | BPF_MEM | BPF_W, into, kQuestion, static_cast<int16_t>(offset), 0});
  }
  // Leaves out the next `count` instructions unless the register has this value.
  void SkipUnless(uint8_t what, int32_t value, int16_t count) {
    Add({BPF_JMP | BPF_JNE | BPF_K, what, 0, count, value});
  }
  // Two instructions.
  void Answer(int32_t verdict) {
    Add({BPF_ALU64 | BPF_MOV | BPF_K, kVerdict, 0, 0, verdict});
    Add({BPF_JMP | BPF_EXIT, 0, 0, 0, 0});
  }

  std::vector<bpf_insn> code_;
};

int Bpf(int command, const bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof(attributes)));
}

}  // namespace

OutcomeOr<UniqueFd> LoadDeviceRules(const ::vcd::agent::v1::LinuxSettings& settings) {
  Program program;
  for (const DeviceNumber& number : kStandard) program.Allow(BPF_DEVCG_DEV_CHAR, number);
  for (const DeviceNode& device : settings.devices()) {
    if (device.type() == "p") continue;
    program.Allow(device.type() == "b" ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
                  {static_cast<int32_t>(device.major()), static_cast<int32_t>(device.minor())});
  }
  const std::vector<bpf_insn>& code = program.Finish();
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = reinterpret_cast<uintptr_t>(code.data());
  attributes.insn_cnt = static_cast<uint32_t>(code.size());
  attributes.license = reinterpret_cast<uintptr_t>("");
  UniqueFd rules(Bpf(BPF_PROG_LOAD, attributes));
  if (!rules.valid()) {
    return SystemFailure("load the rules for devices (does the guest's kernel have CONFIG_CGROUP_BPF?)");
  }
  return rules;
}

Outcome ApplyDeviceRules(const UniqueFd& rules, const Cgroup& cgroup) {
  bpf_attr attributes{};
  attributes.target_fd = static_cast<uint32_t>(cgroup.fd());
  attributes.attach_bpf_fd = static_cast<uint32_t>(rules.get());
  attributes.attach_type = BPF_CGROUP_DEVICE;
  // Without this flag any process of the group may take the program off: with it only one that can name the program,
  // which takes CAP_SYS_ADMIN. The group is the root of what the container sees of the hierarchy.
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (Bpf(BPF_PROG_ATTACH, attributes) != 0) return SystemFailure("set the rules for devices of " + cgroup.path());
  return Outcome();
}

}  // namespace vcd::guest
