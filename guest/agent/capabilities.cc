// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cctype>
#include <iterator>
#include <string>

#include "proto/vcd/v1/linux_names.h"

namespace vcd::guest {
namespace {

static_assert(std::size(kCapabilityNames) == CAP_CHECKPOINT_RESTORE + 1);

constexpr uint64_t Bit(int capability) { return uint64_t{1} << capability; }

constexpr uint64_t kAll = Bit(std::size(kCapabilityNames)) - 1;

uint64_t ParseName(std::string name) {
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (name == "ALL") return kAll;
  if (name.rfind("CAP_", 0) != 0) name.insert(0, "CAP_");
  for (size_t i = 0; i < std::size(kCapabilityNames); ++i) {
    if (name == kCapabilityNames[i]) return Bit(static_cast<int>(i));
  }
  return 0;
}

template <typename Names>
Outcome ParseSet(const Names& names, uint64_t* set) {
  for (const auto& name : names) {
    const uint64_t bits = ParseName(name);
    if (bits == 0) return Invalid("unknown capability \"" + name + "\"");
    *set |= bits;
  }
  return Outcome();
}

}  // namespace

CapabilitySets DefaultCapabilities() {
  uint64_t set = 0;
  for (const char* name : kDefaultCapabilityNames) set |= ParseName(name);
  return {.bounding = set, .effective = set, .permitted = set};
}

std::string CapabilityName(uint64_t set) {
  for (size_t i = 0; i < std::size(kCapabilityNames); ++i) {
    if ((set & Bit(static_cast<int>(i))) != 0) return kCapabilityNames[i];
  }
  return "CAP_?";
}

OutcomeOr<CapabilitySets> ParseCapabilities(const ::vcd::agent::v1::Command::Capabilities& capabilities) {
  CapabilitySets sets;
  for (const Outcome& parsed :
       {ParseSet(capabilities.bounding(), &sets.bounding), ParseSet(capabilities.effective(), &sets.effective),
        ParseSet(capabilities.inheritable(), &sets.inheritable), ParseSet(capabilities.permitted(), &sets.permitted),
        ParseSet(capabilities.ambient(), &sets.ambient)}) {
    if (!parsed.ok()) return parsed;
  }
  return sets;
}

Outcome DropBoundingCapabilities(const CapabilitySets& sets) {
  // Up to 63: a kernel newer than the list above has more of them, and they go too.
  for (int capability = 0; capability < 64; ++capability) {
    if ((sets.bounding & Bit(capability)) != 0) continue;
    const int held = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) break;  // The kernel's last one was before.
    if (held == 1 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return SystemFailure("drop a capability");
  }
  return Outcome();
}

Outcome ApplyCapabilities(const CapabilitySets& sets, uint64_t kept_until_exec) {
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return SystemFailure("read the capabilities");
  for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; ++word) {
    // "ALL" may name capabilities that this kernel, or this agent, does not have.
    const uint32_t held = data[word].permitted;
    data[word].effective = static_cast<uint32_t>((sets.effective | kept_until_exec) >> (32 * word)) & held;
    data[word].permitted = static_cast<uint32_t>((sets.permitted | kept_until_exec) >> (32 * word)) & held;
    data[word].inheritable = static_cast<uint32_t>(sets.inheritable >> (32 * word)) & held;
  }
  if (::syscall(SYS_capset, &header, data) != 0) return SystemFailure("set the capabilities");
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int capability = 0; capability < 64; ++capability) {
    const bool known = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1;
    if (known && (sets.ambient & Bit(capability)) != 0 &&
        ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) {
      return SystemFailure("raise an ambient capability");
    }
  }
  return Outcome();
}

}  // namespace vcd::guest
