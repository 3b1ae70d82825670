// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_command_line.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace vcd {
namespace {

// QEMU's option syntax separates by commas and takes a doubled one for itself.
std::string Escaped(const std::string& value) { return absl::StrReplaceAll(value, {{",", ",,"}}); }

std::string MachineOption(const QemuMachineDescription& machine) {
  // Both machine types know all of these.
  std::string option =
      absl::StrCat(machine.machine_type, ",memory-backend=mem,sata=off,smbus=off,usb=off,vmport=off,i8042=off");
  if (!machine.machine_accelerators.empty()) absl::StrAppend(&option, ",", machine.machine_accelerators);
  return option;
}

std::string CpuOption(const QemuMachineDescription& machine) {
  // Without the quick string instructions: QEMU emulates them byte by byte, and guests that see them copy by nothing
  // else.
  if (machine.accelerator != "kvm") return "max,-erms";
  // Counters of a host that is a virtual machine itself are emulated, slowly, or not there.
  return machine.nested ? "host,pmu=off" : "host";
}

std::string MemoryOption(const QemuMachineDescription& machine) {
  if (machine.max_memory_mib <= machine.memory_mib) return absl::StrCat(machine.memory_mib, "M");
  return absl::StrCat(machine.memory_mib, "M,slots=1,maxmem=", machine.max_memory_mib, "M");
}

std::string BootMemory(const QemuMachineDescription& machine) {
  nlohmann::json backend = MemoryBackend(machine.memory, "mem", uint64_t{machine.memory_mib} << 20, /*reserve=*/true);
  if (!machine.memory_file.empty()) {
    backend["qom-type"] = "memory-backend-file";
    backend["mem-path"] = machine.memory_file;
    backend["share"] = machine.memory.shared;
  }
  return AsOption(backend);
}

std::string SmpOption(const QemuMachineDescription& machine) {
  return absl::StrCat(machine.vcpus, ",maxcpus=", std::max(machine.vcpus, machine.max_vcpus));
}

// Each costs the guest's kernel some 15 ms under TCG, so those that nothing can need are left out.
void AddRootPorts(const QemuMachineDescription& machine, std::vector<std::string>* argv) {
  for (uint32_t slot = 1; slot < kFirstFreeSlot + machine.hotplug_slots; ++slot) {
    if (slot == kFileServerSlot && !machine.file_server_port) continue;
    if (slot == kMemorySlot && machine.max_memory_mib <= machine.memory_mib) continue;
    argv->push_back("-device");
    argv->push_back(absl::StrCat("pcie-root-port,id=rp", slot, ",chassis=", slot, ",slot=", slot));
  }
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
      MachineOption(machine),
      "-accel",
      Accelerator(machine.accelerator),
      "-cpu",
      CpuOption(machine),
      "-object",
      BootMemory(machine),
      "-m",
      MemoryOption(machine),
      "-smp",
      SmpOption(machine),
      "-bios",
      machine.firmware_path,
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
      "virtio-rng-pci,id=rng0",
      // On the ISA bus of both machine types: through it the guest's kernel tells that it panics.
      "-device",
      "pvpanic,id=panic0",
  };
  const std::vector<std::string> start =
      machine.incoming ? std::vector<std::string>{"-incoming", "defer"}
                       : std::vector<std::string>{"-kernel", machine.kernel_path,        "-initrd", machine.initrd_path,
                                                  "-append", machine.kernel_command_line};
  argv.insert(argv.end(), start.begin(), start.end());
  if (machine.scsi_controller) {
    argv.push_back("-device");
    argv.push_back("virtio-scsi-pci,id=scsi0");
  }
  if (machine.machine_type == "q35") AddRootPorts(machine, &argv);
  if (machine.memory_lock) {
    argv.push_back("-overcommit");
    argv.push_back("mem-lock=on");
  }
  argv.push_back("-sandbox");
  argv.push_back("on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  for (const auto& [option, value] : machine.more_options) {
    argv.push_back(absl::StrCat("-", option));
    if (!value.empty()) argv.push_back(value);
  }
  return argv;
}

}  // namespace vcd
