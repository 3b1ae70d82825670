// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_pci_devices.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "backends/hypervisor/qemu/qemu_nic.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "core/device/pci_bus.h"
#include "core/hypervisor/machine_record.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

constexpr char kPrefix[] = "pci-";
constexpr char kVfio[] = "vfio";  // state::v1::PciDevice.kind

std::string Name(uint32_t slot) { return absl::StrCat(kPrefix, slot); }

}  // namespace

absl::Status QemuPciDevices::Adopt(const state::v1::VirtualMachine& record, const CallContext& context) {
  std::set<std::string> known;
  for (const state::v1::PciDevice& device : record.pci_devices()) {
    VCD_RETURN_IF_ERROR(TakeRecorded(device));
    known.insert(Name(device.slot()));
  }
  std::set<std::string> present;
  VCD_RETURN_IF_ERROR(ListDevices(qmp_, kPrefix, &present, context));
  for (const std::string& name : present) {
    uint32_t slot = 0;
    if (known.count(name) != 0 || !absl::SimpleAtoi(absl::StripPrefix(name, kPrefix), &slot)) continue;
    VCD_RETURN_IF_ERROR(Unplug(slot, 0, context));
  }
  return RemoveBegun(context);
}

absl::Status QemuPciDevices::RemoveBegun(const CallContext& context) {
  // The earlier daemon took the lowest place that was free, as this one would, and plugged in one device at a time.
  const absl::StatusOr<uint32_t> slot = slots_.Take("what was begun");
  if (!slot.ok()) return absl::OkStatus();
  slots_.Release(*slot);
  return RemoveNicBackend(qmp_, *slot, Name(*slot), 0, context);
}

absl::Status QemuPciDevices::TakeRecorded(const state::v1::PciDevice& device) {
  VCD_RETURN_IF_ERROR(slots_.TakeRecorded(absl::StrCat("device ", device.id()), device.slot()));
  MutexLock lock(&mu_);
  devices_[device.slot()] = Device{device, /*busy=*/false, /*attached=*/true};
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> QemuPciDevices::Reserve(state::v1::PciDevice device) {
  MutexLock lock(&mu_);
  for (const auto& [slot, other] : devices_) {
    if (other.record.id() == device.id()) {
      return absl::AlreadyExistsError(absl::StrCat("device ", device.id(), " is attached already"));
    }
    if (!device.host_address().empty() && other.record.host_address() == device.host_address()) {
      return absl::AlreadyExistsError(absl::StrCat("device ", device.id(), ": ", device.host_address(),
                                                   " is in the machine as ", other.record.id()));
    }
  }
  VCD_ASSIGN_OR_RETURN(const uint32_t slot, slots_.Take(absl::StrCat("device ", device.id())));
  device.set_slot(slot);
  devices_[slot] = Device{std::move(device), /*busy=*/true, /*attached=*/false};
  return slot;
}

void QemuPciDevices::Release(uint32_t slot) {
  MutexLock lock(&mu_);
  devices_.erase(slot);
  slots_.Release(slot);
}

absl::Status QemuPciDevices::AttachHostDevice(const std::string& id, const std::string& pci_address,
                                              const CallContext& context) {
  const std::string what = absl::StrCat("device ", id);
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("attach ", what)));
  if (!IsPciAddress(pci_address)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": \"", absl::CHexEscape(pci_address), "\" is no PCI address; such is 0000:01:00.0"));
  }
  state::v1::PciDevice record;
  record.set_id(id);
  record.set_kind(kVfio);
  record.set_host_address(pci_address);
  const absl::Status plugged = Attach(std::move(record), 0, [&](uint32_t slot) {
    json device = {{"driver", "vfio-pci"}, {"id", Name(slot)}, {"host", pci_address}};
    device.update(slots_.Address(slot));
    return qmp_.Execute("device_add", device, Step(context)).status();
  });
  return Annotate(plugged, absl::StrCat(what, ": pass ", pci_address, " through"));
}

absl::Status QemuPciDevices::AttachNic(NicSpec nic, const CallContext& context) {
  const std::string what = absl::StrCat("network interface ", nic.id);
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("attach ", what)));
  VCD_RETURN_IF_ERROR(CheckNic(nic));
  const size_t queues = nic.taps.size();
  const absl::Status plugged = Attach(NicRecord(nic), queues, [&](uint32_t slot) {
    return PlugNic(qmp_, slot, Name(slot), slots_.Address(slot), std::move(nic), context);
  });
  return Annotate(plugged, what);
}

absl::Status QemuPciDevices::RestoreNic(uint32_t slot, NicSpec nic, const CallContext& context) {
  const std::string what = absl::StrCat("network interface ", nic.id);
  state::v1::PciDevice record = NicRecord(nic);
  record.set_slot(slot);
  VCD_RETURN_IF_ERROR(TakeRecorded(record));
  return Annotate(PlugNic(qmp_, slot, Name(slot), slots_.Address(slot), std::move(nic), context), what);
}

absl::StatusOr<std::vector<SavedNic>> QemuPciDevices::DescribeForImage(const CallContext& context) const {
  state::v1::VirtualMachine record;
  WriteTo(&record);
  std::vector<SavedNic> nics;
  for (const state::v1::PciDevice& device : record.pci_devices()) {
    const std::string what = absl::StrCat("it has ", device.kind(), " ", device.id());
    if (device.kind() == kVfio) {
      return absl::FailedPreconditionError(absl::StrCat(what, ", which is of this host; take it away first"));
    }
    absl::StatusOr<SavedNic> nic = DescribeNic(qmp_, device.slot(), Name(device.slot()), context);
    if (!nic.ok()) return Annotate(nic.status(), what);
    nic->id = device.id();
    nic->mac = device.mac();
    nics.push_back(*std::move(nic));
  }
  return nics;
}

absl::Status QemuPciDevices::Attach(state::v1::PciDevice record, size_t queues,
                                    const std::function<absl::Status(uint32_t)>& plug) {
  VCD_ASSIGN_OR_RETURN(const uint32_t slot, Reserve(std::move(record)));
  absl::Status plugged = plug(slot);
  if (plugged.ok()) {
    MutexLock lock(&mu_);
    devices_[slot].busy = false;
    devices_[slot].attached = true;
    return plugged;
  }
  // As with disks: what could not be undone keeps its place, nameless.
  if (Unplug(slot, queues, CleanupContext()).ok()) {
    Release(slot);
  } else {
    MutexLock lock(&mu_);
    devices_[slot].record.clear_id();
  }
  return plugged;
}

absl::Status QemuPciDevices::Unplug(uint32_t slot, size_t queues, const CallContext& context) {
  VCD_RETURN_IF_ERROR(RemoveDevice(qmp_, Name(slot), context));
  {
    MutexLock lock(&mu_);
    const auto device = devices_.find(slot);
    // A device of the host stands on nothing else. One that no record tells of may be either.
    if (device != devices_.end() && device->second.record.kind() == kVfio) return absl::OkStatus();
  }
  return RemoveNicBackend(qmp_, slot, Name(slot), queues, context);
}

absl::Status QemuPciDevices::Detach(const std::string& id, const CallContext& context) {
  const std::string step = absl::StrCat("detach device ", id);
  VCD_RETURN_IF_ERROR(context.Check(step));
  std::optional<uint32_t> slot;
  {
    MutexLock lock(&mu_);
    for (auto& [candidate, device] : devices_) {
      if (device.record.id() != id) continue;
      if (device.busy) return absl::AbortedError(absl::StrCat("device ", id, " is being attached or detached"));
      device.busy = true;
      slot = candidate;
    }
  }
  if (!slot.has_value()) return absl::OkStatus();
  const absl::Status unplugged = Annotate(Unplug(*slot, 0, context), step);
  if (unplugged.ok()) {
    Release(*slot);
  } else {
    MutexLock lock(&mu_);
    devices_[*slot].busy = false;
  }
  return unplugged;
}

std::string QemuPciDevices::HostAddressOf(const std::string& id) const {
  MutexLock lock(&mu_);
  for (const auto& [slot, device] : devices_) {
    if (device.record.id() == id) return device.record.host_address();
  }
  return "";
}

void QemuPciDevices::WriteTo(state::v1::VirtualMachine* record) const {
  MutexLock lock(&mu_);
  for (const auto& [slot, device] : devices_) {
    if (device.attached) *record->add_pci_devices() = device.record;
  }
}

}  // namespace vcd
