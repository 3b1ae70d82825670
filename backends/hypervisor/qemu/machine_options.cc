// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/machine_options.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "backends/hypervisor/qemu/pci_slots.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A network interface and a passed through device beside disks that need no place; or some disks.
constexpr uint32_t kSlotsBesideScsi = 2;
constexpr uint32_t kSlotsForDisks = 8;
constexpr uint32_t kHugePageMib = 2;

std::string Field(const char* name) { return absl::StrCat("hypervisor_config.", name); }

absl::Status CheckChoice(const char* field, const std::string& value, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return absl::OkStatus();
  return InvalidField(Field(field), absl::StrCat("\"", absl::CHexEscape(value),
                                                 "\" is unknown; known are: ", absl::StrJoin(known, ", ")));
}

bool HasOnly(const std::string& text, const char* others) {
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::string(others).find(c) != std::string::npos;
  });
}

// Properties of -machine: `name=value`, by commas.
absl::Status CheckMachineAccelerators(const std::string& text) {
  if (text.empty()) return absl::OkStatus();
  const std::string field = Field("machine_accelerators");
  for (const std::string& property : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const std::vector<std::string> parts = absl::StrSplit(property, absl::MaxSplits('=', 1));
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty() || !HasOnly(property, "-_.=:/")) {
      return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(property),
                                              "\" is no property of QEMU's -machine; such are `usb=off,hpet=off`"));
    }
    static const std::set<std::string>* const kTaken = new std::set<std::string>{
        "accel", "append", "firmware", "initrd", "kernel", "memory", "memory-backend", "memory-encryption", "type"};
    if (kTaken->count(parts[0]) != 0) {
      return InvalidField(field, absl::StrCat("\"", parts[0], "\" is vcd's own; see the other fields"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHypervisorParams(const v1::HypervisorConfig& config) {
  // With these QEMU would not be a child that listens where vcd speaks to it, or would not start this guest.
  static const std::set<std::string>* const kRefused = new std::set<std::string>{
      "S",      "chroot", "daemonize", "h",       "help",      "incoming",   "loadvm", "append",
      "initrd", "kernel", "name",      "pidfile", "preconfig", "readconfig", "runas",  "version"};
  for (int i = 0; i < config.hypervisor_params_size(); ++i) {
    const v1::Param& param = config.hypervisor_params(i);
    const std::string field = absl::StrCat(Field("hypervisor_params"), "[", i, "]");
    if (param.key().empty() || param.key()[0] == '-' || !HasOnly(param.key(), "-_")) {
      return InvalidField(absl::StrCat(field, ".key"),
                          absl::StrCat("\"", absl::CHexEscape(param.key()),
                                       "\" is no option of QEMU; write it without the leading `-`: `global`"));
    }
    if (kRefused->count(param.key()) != 0) {
      return InvalidField(absl::StrCat(field, ".key"),
                          absl::StrCat("-", param.key(), " would take the machine out of vcd's hands"));
    }
    if (param.value().find('\0') != std::string::npos)
      return InvalidField(absl::StrCat(field, ".value"), "a zero byte");
  }
  return absl::OkStatus();
}

absl::Status CheckHugePages(const char* field, uint32_t mib) {
  if (mib % kHugePageMib == 0) return absl::OkStatus();
  return InvalidField(Field(field), absl::StrCat(mib, " MiB are not made of huge pages of ", kHugePageMib, " MiB"));
}

}  // namespace

void FillMachineOptions(uint32_t max_vcpus, uint32_t max_memory_mib, v1::HypervisorConfig* config) {
  if (config->block_device_driver().empty()) config->set_block_device_driver(kVirtioScsi);
  if (config->hotplug_slots() == 0) {
    config->set_hotplug_slots(config->block_device_driver() == kVirtioBlk ? kSlotsForDisks : kSlotsBesideScsi);
  }
  if (config->max_vcpus() == 0) config->set_max_vcpus(std::max(max_vcpus, config->default_vcpus()));
  if (config->max_memory_mib() == 0) {
    // Whole huge pages and whole blocks of virtio-mem, from here as well as from what it boots with.
    config->set_max_memory_mib(std::max(max_memory_mib / kHugePageMib * kHugePageMib, config->default_memory_mib()));
  }
}

absl::Status CheckMachineOptions(const v1::HypervisorConfig& config) {
  VCD_RETURN_IF_ERROR(CheckChoice("machine_type", config.machine_type(), {"pc", "q35"}));
  VCD_RETURN_IF_ERROR(CheckChoice("block_device_driver", config.block_device_driver(), {kVirtioBlk, kVirtioScsi}));
  if (config.hotplug_slots() > kMaxHotplugSlots) {
    return InvalidField(Field("hotplug_slots"),
                        absl::StrCat(config.hotplug_slots(), "; at most ", kMaxHotplugSlots, " are possible"));
  }
  VCD_RETURN_IF_ERROR(CheckMachineAccelerators(config.machine_accelerators()));
  VCD_RETURN_IF_ERROR(CheckHypervisorParams(config));
  if (!config.huge_pages()) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(CheckHugePages("default_memory_mib", config.default_memory_mib()));
  return CheckHugePages("max_memory_mib", config.max_memory_mib());
}

}  // namespace vcd
