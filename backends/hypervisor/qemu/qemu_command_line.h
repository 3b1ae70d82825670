// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_COMMAND_LINE_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_COMMAND_LINE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backends/hypervisor/qemu/guest_memory.h"
#include "backends/hypervisor/qemu/pci_slots.h"

namespace vcd {

// Names of the fixed devices, as QMP commands later use them.
inline constexpr char kScsiBus[] = "scsi0.0";
// The virtio-serial port that the guest agent opens.
inline constexpr char kAgentPort[] = "vcd.agent";

// Everything that the command line of a machine says. Where two fields exclude each other, CheckMachineOptions has seen
// to it.
struct QemuMachineDescription {
  std::string program;
  std::string pod_id;
  std::string machine_type;          // `q35` or `pc`.
  std::string machine_accelerators;  // More properties of it.
  std::string accelerator;           // `kvm` or `tcg`.
  bool nested = false;               // The host is a virtual machine, to which this one is adapted.
  std::string firmware_path;
  std::string kernel_path;
  std::string initrd_path;
  std::string kernel_command_line;
  std::string run_dir;
  uint32_t vcpus = 1;
  uint32_t max_vcpus = 1;
  uint32_t memory_mib = 128;
  uint32_t max_memory_mib = 128;
  GuestMemory memory;
  std::string memory_file;        // What the memory of the boot is a mapping of; empty: QEMU makes it.
  bool file_server_port = false;  // There is a place for virtiofs: also where an image had one.
  bool incoming = false;          // Waits for the state of another machine in place of a boot.
  bool memory_lock = false;
  bool scsi_controller = true;                                    // Not where all disks are virtio-blk.
  uint32_t hotplug_slots = 0;                                     // As PciSlots has them.
  std::vector<std::pair<std::string, std::string>> more_options;  // `-first second`, or `-first` alone.
  // Numbers under which QEMU inherits the listening sockets.
  int control_fd = -1;
  int monitor_fd = -1;
  int agent_fd = -1;
  int console_fd = -1;
};

// The argument vector. The machine starts with its vCPUs stopped, so that QMP is negotiated before the guest can do
// anything. Only what a template can hold is plugged in; all else is added later.
std::vector<std::string> QemuCommandLine(const QemuMachineDescription& machine);

// An argument that marks the QEMU of a pod in the host's process list, and is in no other command line.
std::string QemuProcessMarker(const std::string& run_dir);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_COMMAND_LINE_H_
