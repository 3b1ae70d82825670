// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_command_line.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace vcd {
namespace {

// QEMU's option syntax separates by commas and takes a doubled one for itself.
std::string Escaped(const std::string& value) { return absl::StrReplaceAll(value, {{",", ",,"}}); }

std::string MemoryObject(const QemuMachineDescription& machine) {
  // vhost-user devices (virtiofs) need RAM that another process can map.
  return absl::StrCat(machine.shared_memory ? "memory-backend-memfd,share=on" : "memory-backend-ram",
                      ",id=mem,size=", machine.memory_mib, "M");
}

// Translated code must have room in what a pod's processes may have beyond the guest's memory; by itself it takes up to
// 1 GiB.
std::string Accelerator(const std::string& name) { return name == "tcg" ? "tcg,tb-size=256" : name; }

std::string SocketChardev(const char* id, int fd) {
  return absl::StrCat("socket,id=", id, ",fd=", fd, ",server=on,wait=off");
}

}  // namespace

std::string QemuProcessMarker(const std::string& run_dir) { return absl::StrCat("vcd:", Escaped(run_dir), "/"); }

std::vector<std::string> QemuCommandLine(const QemuMachineDescription& machine) {
  std::vector<std::string> argv = {
      machine.program,
      "-name",
      QemuProcessMarker(machine.run_dir),
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-no-reboot",
      "-S",
      "-machine",
      absl::StrCat(machine.machine_type, ",memory-backend=mem,sata=off,smbus=off,usb=off,vmport=off,i8042=off"),
      "-accel",
      Accelerator(machine.accelerator),
      "-cpu",
      machine.accelerator == "kvm" ? "host" : "max",
      "-object",
      MemoryObject(machine),
      "-m",
      absl::StrCat(machine.memory_mib, "M"),
      "-smp",
      absl::StrCat(machine.vcpus),
      "-bios",
      machine.firmware_path,
      "-kernel",
      machine.kernel_path,
      "-initrd",
      machine.initrd_path,
      "-append",
      machine.kernel_command_line,
      "-chardev",
      SocketChardev("console", machine.console_fd),
      "-serial",
      "chardev:console",
      "-chardev",
      SocketChardev("ctl", machine.control_fd),
      "-mon",
      "chardev=ctl,mode=control",
      "-chardev",
      SocketChardev("mon", machine.monitor_fd),
      "-mon",
      "chardev=mon,mode=control",
      "-chardev",
      SocketChardev("agent", machine.agent_fd),
      "-device",
      "virtio-serial-pci,id=serial0",
      "-device",
      absl::StrCat("virtserialport,bus=serial0.0,chardev=agent,id=agent0,name=", kAgentPort),
      "-device",
      "virtio-scsi-pci,id=scsi0",
      "-device",
      "virtio-rng-pci,id=rng0",
  };
  const int root_ports = machine.shared_memory ? kRootPorts : kRootPortsWithoutSharing;
  for (int port = 1; port <= root_ports; ++port) {
    argv.push_back("-device");
    argv.push_back(absl::StrCat("pcie-root-port,id=rp", port, ",chassis=", port, ",slot=", port));
  }
  argv.push_back("-sandbox");
  argv.push_back("on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  return argv;
}

}  // namespace vcd
