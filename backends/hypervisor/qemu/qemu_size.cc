// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_size.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/pci_slots.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

// The device, its memory, and the device's id in events.
constexpr char kDevice[] = "memory0";
constexpr char kBackend[] = "memory0-ram";
constexpr char kCpuPrefix[] = "cpu-";
// What virtio-mem gives and takes at least: QEMU's default with and without transparent huge pages of x86.
constexpr uint32_t kBlockMib = 2;
// A guest that makes no progress for so long will make none: it has no driver, or nothing left that it can move.
constexpr absl::Duration kStandstill = absl::Seconds(15);
// QEMU tells of changes once a second at most; this looks in between.
constexpr absl::Duration kLookAgainAfter = absl::Milliseconds(50);

uint32_t WholeBlocks(uint32_t mib) { return (mib + kBlockMib - 1) / kBlockMib * kBlockMib; }
uint32_t ToMib(uint64_t bytes) { return static_cast<uint32_t>(bytes >> 20); }

uint64_t Number(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

// Whether the vCPU is there: QEMU names the object of those that are.
bool IsPlugged(const json& cpu) { return cpu.contains("qom-path"); }

absl::StatusOr<std::vector<json>> ListCpus(QmpClient& qmp, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const json answer, qmp.Execute("query-hotpluggable-cpus", nullptr, Step(context)));
  std::vector<json> cpus;
  // QEMU lists them from the last to the first, and the guest's numbers shall go with ours.
  if (answer.is_array()) cpus.assign(answer.rbegin(), answer.rend());
  for (const json& cpu : cpus) {
    if (!cpu.is_object() || !cpu.contains("props") || !cpu["props"].is_object()) {
      return absl::InternalError("query-hotpluggable-cpus: QEMU names a vCPU without its place");
    }
  }
  return cpus;
}

uint32_t Plugged(const std::vector<json>& cpus) {
  uint32_t count = 0;
  for (const json& cpu : cpus) count += IsPlugged(cpu) ? 1 : 0;
  return count;
}

}  // namespace

absl::StatusOr<std::unique_ptr<QemuSize>> QemuSize::Read(QmpClient& qmp, Options options, const CallContext& context) {
  // An adopted machine is what it was made as, and what comes to it must be the same.
  VCD_ASSIGN_OR_RETURN(const json backends, qmp.Execute("query-memdev", nullptr, Step(context)));
  if (backends.is_array()) {
    for (const json& backend : backends) {
      if (StringField(backend, "id") == "mem") options.memory.shared = backend.value("share", false);
    }
  }
  std::unique_ptr<QemuSize> size(new QemuSize(qmp, std::move(options)));
  VCD_ASSIGN_OR_RETURN(const std::vector<json> cpus, ListCpus(qmp, context));
  VCD_ASSIGN_OR_RETURN(const json summary, qmp.Execute("query-memory-size-summary", nullptr, Step(context)));
  VCD_ASSIGN_OR_RETURN(const json devices, qmp.Execute("query-memory-devices", nullptr, Step(context)));
  size->max_vcpus_ = static_cast<uint32_t>(cpus.size());
  size->boot_memory_mib_ = ToMib(Number(summary, "base-memory"));
  size->has_device_ = devices.is_array() && !devices.empty();
  VCD_ASSIGN_OR_RETURN(const uint64_t plugged, size->PluggedBytes(context));
  MutexLock lock(&size->mu_);
  size->now_ = {Plugged(cpus), size->boot_memory_mib_ + ToMib(plugged)};
  return size;
}

absl::Status QemuSize::CheckUnchanged(const CallContext& context) const {
  std::set<std::string> later;
  VCD_RETURN_IF_ERROR(ListDevices(qmp_, kCpuPrefix, &later, context));
  VCD_RETURN_IF_ERROR(ListDevices(qmp_, kDevice, &later, context));
  if (later.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("its vCPUs or memory were changed after the boot (", absl::StrJoin(later, ", "),
                   "), which an image cannot hold; stop the pod and start it again with what it is to have"));
}

VmSize QemuSize::now() const {
  MutexLock lock(&mu_);
  return now_;
}

void QemuSize::WriteTo(state::v1::VirtualMachine* record) const {
  MutexLock lock(&mu_);
  record->set_vcpus(now_.vcpus);
  record->set_memory_mib(now_.memory_mib);
}

absl::StatusOr<VmSize> QemuSize::Resize(const VmSize& size, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check("resize the machine"));
  if (size.vcpus > max_vcpus_) {
    return InvalidField("resources.vcpus",
                        absl::StrCat(size.vcpus, " vCPUs; the machine was made for ", max_vcpus_,
                                     " at most: stop the pod first, or make one with hypervisor_config.max_vcpus"));
  }
  if (size.memory_mib != 0) VCD_RETURN_IF_ERROR(CheckMemory(size.memory_mib));
  VmSize before;
  {
    MutexLock lock(&mu_);
    if (busy_) return absl::AbortedError("the machine is being resized by another call");
    busy_ = true;
    before = now_;
  }
  const absl::Status changed = Change(before, size, context);
  MutexLock lock(&mu_);
  busy_ = false;
  if (!changed.ok()) return changed;
  return now_;
}

absl::Status QemuSize::Change(const VmSize& before, const VmSize& wanted, const CallContext& context) {
  // Memory first, as that can be undone.
  if (wanted.memory_mib != 0) VCD_RETURN_IF_ERROR(SetMemory(wanted.memory_mib, context));
  if (wanted.vcpus <= before.vcpus) return absl::OkStatus();
  const absl::Status grown = GrowVcpus(wanted.vcpus, context);
  if (!grown.ok() && wanted.memory_mib != 0) SetMemory(before.memory_mib, CleanupContext()).IgnoreError();
  return grown;
}

absl::Status QemuSize::CheckMemory(uint32_t memory_mib) const {
  if (memory_mib < boot_memory_mib_) {
    return InvalidField("resources.memory_mib",
                        absl::StrCat(memory_mib, " MiB; the machine booted with ", boot_memory_mib_,
                                     ", of which nothing can be taken while it runs: stop the pod first"));
  }
  const uint32_t most = boot_memory_mib_ + RoomMib();
  if (boot_memory_mib_ + WholeBlocks(memory_mib - boot_memory_mib_) > most) {
    return InvalidField(
        "resources.memory_mib",
        absl::StrCat(memory_mib, " MiB; the machine was made for ", most,
                     " at most: stop the pod first, or make one with hypervisor_config.max_memory_mib"));
  }
  return absl::OkStatus();
}

uint32_t QemuSize::RoomMib() const {
  if (options_.max_memory_mib <= boot_memory_mib_) return 0;
  return (options_.max_memory_mib - boot_memory_mib_) / kBlockMib * kBlockMib;
}

absl::Status QemuSize::GrowVcpus(uint32_t wanted, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const std::vector<json> cpus, ListCpus(qmp_, context));
  uint32_t count = Plugged(cpus);
  absl::Status status;
  for (size_t i = 0; i < cpus.size() && count < wanted && status.ok(); ++i) {
    if (IsPlugged(cpus[i])) continue;
    json device = cpus[i]["props"];
    device["driver"] = StringField(cpus[i], "type");
    device["id"] = absl::StrCat(kCpuPrefix, i);
    status = Annotate(qmp_.Execute("device_add", device, Step(context)).status(), absl::StrCat("plug vCPU ", i, " in"));
    if (status.ok()) ++count;
  }
  // Those of a failed attempt stay, offline in the guest, and are the first of the next.
  MutexLock lock(&mu_);
  now_.vcpus = count;
  return status;
}

absl::Status QemuSize::EnsureDevice(const CallContext& context) {
  if (has_device_) return absl::OkStatus();
  const json backend = MemoryBackend(options_.memory, kBackend, uint64_t{RoomMib()} << 20, /*reserve=*/false);
  json device = {{"driver", "virtio-mem-pci"}, {"id", kDevice}, {"memdev", kBackend}};
  // What is not reserved must be there before the guest touches it, or the machine ends with SIGBUS.
  if (options_.memory.prealloc || options_.memory.huge_pages) device["prealloc"] = true;
  device.update(PciSlotAddress(options_.machine_type, kMemorySlot));
  const char step[] = "plug the memory device in";
  // One that a crash left without its device.
  VCD_RETURN_IF_ERROR(
      Annotate(IgnoreMissing(qmp_.Execute("object-del", {{"id", kBackend}}, Step(context)).status()), step));
  absl::Status status = qmp_.Execute("object-add", backend, Step(context)).status();
  if (status.ok()) status = qmp_.Execute("device_add", device, Step(context)).status();
  if (status.ok()) {
    has_device_ = true;
    return status;
  }
  const CallContext cleanup = CleanupContext();
  absl::Status undone = RemoveDevice(qmp_, kDevice, cleanup);
  undone.Update(RemoveBackend(qmp_, "object-del", {{"id", kBackend}}, kDevice, cleanup));
  if (!undone.ok()) return Annotate(status, absl::StrCat(step, " (and not cleaned up: ", undone.message(), ")"));
  return Annotate(status, step);
}

absl::Status QemuSize::SetMemory(uint32_t memory_mib, const CallContext& context) {
  const uint32_t more_mib = WholeBlocks(memory_mib - boot_memory_mib_);
  uint32_t before_mib = 0;
  {
    MutexLock lock(&mu_);
    before_mib = now_.memory_mib - boot_memory_mib_;
  }
  if (more_mib == before_mib) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(EnsureDevice(context));
  const absl::Status status = Request(uint64_t{more_mib} << 20, context);
  if (status.ok()) {
    MutexLock lock(&mu_);
    now_.memory_mib = boot_memory_mib_ + more_mib;
    return status;
  }
  // The guest goes back to where it was in its own time; how far it is when asked for is what the record tells.
  Request(uint64_t{before_mib} << 20, CleanupContext()).IgnoreError();
  const absl::StatusOr<uint64_t> plugged = PluggedBytes(CleanupContext());
  MutexLock lock(&mu_);
  if (plugged.ok()) now_.memory_mib = boot_memory_mib_ + ToMib(*plugged);
  return status;
}

absl::Status QemuSize::Request(uint64_t bytes, const CallContext& context) {
  const json property = {
      {"path", absl::StrCat("/machine/peripheral/", kDevice)}, {"property", "requested-size"}, {"value", bytes}};
  VCD_RETURN_IF_ERROR(
      Annotate(qmp_.Execute("qom-set", property, Step(context)).status(), "ask the guest for other memory"));
  uint64_t last = UINT64_MAX;
  absl::Time given_up = absl::InfiniteFuture();
  for (;;) {
    const QmpClient::Expectation changed = qmp_.Expect("MEMORY_DEVICE_SIZE_CHANGE", "id", kDevice);
    VCD_ASSIGN_OR_RETURN(const uint64_t now, PluggedBytes(context));
    if (now == bytes) return absl::OkStatus();
    if (now != last) given_up = absl::Now() + kStandstill;
    last = now;
    if (absl::Now() >= given_up) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the guest has ", boot_memory_mib_ + ToMib(now), " MiB and does not get to ", boot_memory_mib_ + ToMib(bytes),
          now > bytes ? ": what it uses cannot be moved; end something in it, or leave it more"
                      : ": its kernel has no room for the tables of so much, or no driver (virtio_mem)"));
    }
    VCD_RETURN_IF_ERROR(context.Check("wait for the guest's memory"));
    const absl::Status waited = changed.Wait(context.Within(kLookAgainAfter)).status();
    if (!waited.ok() && !absl::IsDeadlineExceeded(waited)) return waited;
  }
}

absl::StatusOr<uint64_t> QemuSize::PluggedBytes(const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const json devices, qmp_.Execute("query-memory-devices", nullptr, Step(context)));
  uint64_t bytes = 0;
  if (!devices.is_array()) return bytes;
  for (const json& device : devices) {
    if (device.is_object() && device.contains("data")) bytes += Number(device["data"], "size");
  }
  return bytes;
}

}  // namespace vcd
