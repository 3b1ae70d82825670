// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_MACHINE_RECORD_H_
#define VCD_CORE_HYPERVISOR_MACHINE_RECORD_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/hypervisor/hypervisor.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

// Keeps the book of what is plugged into a machine, for machines that have nothing but the book.
namespace vcd {

// Notes a disk at the lowest free LUN. kAlreadyExists when the id is taken.
absl::StatusOr<DiskAddress> NoteDisk(const DiskSpec& disk, state::v1::VirtualMachine* record);
// Nothing when there is none.
void ForgetDisk(const std::string& id, state::v1::VirtualMachine* record);

// Notes that the machine was resized, and returns what it has then; vCPUs only ever come. kInvalidArgument, naming the
// field, beyond what the configuration lets it have.
absl::StatusOr<VmSize> NoteSize(const VmSize& size, const v1::HypervisorConfig& config,
                                state::v1::VirtualMachine* record);

// Notes a directory. kAlreadyExists when the tag is taken.
absl::StatusOr<SharedPath> NoteDirectory(const ShareSpec& share, state::v1::VirtualMachine* record);
// Notes a PCI device: kind `nic` with its hardware address, or `vfio` with the host's address. kAlreadyExists when the
// id is taken.
absl::Status NotePciDevice(const state::v1::PciDevice& device, state::v1::VirtualMachine* record);
state::v1::PciDevice NicRecord(const NicSpec& nic);
// Nothing when there is none.
void ForgetPciDevice(const std::string& id, state::v1::VirtualMachine* record);
// Nothing when there is none.
void ForgetDirectory(const std::string& tag, state::v1::VirtualMachine* record);

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_MACHINE_RECORD_H_
