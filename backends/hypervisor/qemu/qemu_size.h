// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SIZE_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SIZE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/guest_memory.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// How many vCPUs and how much memory one running QEMU has. Memory beyond that of the boot is of one virtio-mem device,
// plugged in on first need, of which the guest takes and gives blocks. vCPUs are plugged in and never out: QEMU 7.2 is
// no longer to be trusted with its memory map after it unplugged one. QEMU itself is asked for what there is, so that a
// restarted daemon needs no record of it. Thread-safe; calls block. `qmp` outlives it.
class QemuSize {
 public:
  struct Options {
    std::string machine_type;
    GuestMemory memory;           // Whether it is shared is asked of QEMU.
    uint32_t max_memory_mib = 0;  // 0: the machine was made without room for more.
  };

  // Asks QEMU what there is.
  static absl::StatusOr<std::unique_ptr<QemuSize>> Read(QmpClient& qmp, Options options, const CallContext& context);

  // Whether other processes can map its memory.
  bool shares_memory() const { return options_.memory.shared; }

  // Of the memory that it booted with.
  uint64_t boot_memory_bytes() const { return uint64_t{boot_memory_mib_} << 20; }

  // kFailedPrecondition, naming them, when vCPUs or memory came after the boot: a machine that goes on from an image
  // has neither.
  absl::Status CheckUnchanged(const CallContext& context) const;

  // What the machine has.
  VmSize now() const;

  // As VirtualMachine::Resize.
  absl::StatusOr<VmSize> Resize(const VmSize& size, const CallContext& context);

  // Writes vCPUs and memory into the record.
  void WriteTo(state::v1::VirtualMachine* record) const;

 private:
  QemuSize(QmpClient& qmp, Options options) : qmp_(qmp), options_(std::move(options)) {}

  absl::Status CheckMemory(uint32_t memory_mib) const;
  absl::Status Change(const VmSize& before, const VmSize& wanted, const CallContext& context);
  // The most that can come beside the memory of the boot.
  uint32_t RoomMib() const;
  // Plugs vCPUs in until there are `wanted`.
  absl::Status GrowVcpus(uint32_t wanted, const CallContext& context);
  absl::Status SetMemory(uint32_t memory_mib, const CallContext& context);
  // Makes the device that memory comes by, if there is none.
  absl::Status EnsureDevice(const CallContext& context);
  // Asks the guest for so much beside the memory of the boot, and waits until it is so.
  absl::Status Request(uint64_t bytes, const CallContext& context);
  // What the guest has plugged of the device; 0 without a device.
  absl::StatusOr<uint64_t> PluggedBytes(const CallContext& context);

  QmpClient& qmp_;
  const Options options_;
  uint32_t boot_memory_mib_ = 0;  // Since Read.
  uint32_t max_vcpus_ = 0;

  bool has_device_ = false;  // Of the one who made it busy.
  mutable Mutex mu_;
  bool busy_ ABSL_GUARDED_BY(mu_) = false;
  VmSize now_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_SIZE_H_
