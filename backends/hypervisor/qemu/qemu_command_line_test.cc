// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

QemuMachineDescription Machine() {
  QemuMachineDescription machine;
  machine.program = "/usr/bin/qemu-system-x86_64";
  machine.pod_id = "pod-1";
  machine.machine_type = "q35";
  machine.accelerator = "tcg";
  machine.firmware_path = "/fw.rom";
  machine.kernel_path = "/vmlinux";
  machine.initrd_path = "/initramfs.cpio";
  machine.kernel_command_line = "console=ttyS0 quiet";
  machine.run_dir = "/run/vcd/pods/pod-1";
  machine.control_fd = 3;
  machine.monitor_fd = 4;
  machine.agent_fd = 5;
  machine.console_fd = 6;
  return machine;
}

struct Case {
  std::string name;
  std::function<void(QemuMachineDescription&)> change;
  std::string option;
  std::string value;  // What stands after the option, at least once.
};

class QemuCommandLineTest : public testing::TestWithParam<Case> {};

TEST_P(QemuCommandLineTest, Says) {
  QemuMachineDescription machine = Machine();
  if (GetParam().change != nullptr) GetParam().change(machine);
  const std::vector<std::string> argv = QemuCommandLine(machine);
  std::vector<std::string> values;
  for (size_t i = 0; i + 1 < argv.size(); ++i) {
    if (argv[i] == GetParam().option) values.push_back(argv[i + 1]);
  }
  EXPECT_THAT(values, Contains(GetParam().value));
}

INSTANTIATE_TEST_SUITE_P(
    Table, QemuCommandLineTest,
    testing::Values(
        Case{"Name", nullptr, "-name", "vcd:/run/vcd/pods/pod-1/"},
        Case{"Machine", nullptr, "-machine", "q35,memory-backend=mem,sata=off,smbus=off,usb=off,vmport=off,i8042=off"},
        Case{"TcgCpu", nullptr, "-cpu", "max,-erms"},
        Case{"KvmCpu", [](auto& m) { m.accelerator = "kvm"; }, "-cpu", "host"},
        Case{"TcgAcceleratorIsBounded", nullptr, "-accel", "tcg,tb-size=256"},
        Case{"KvmAccelerator", [](auto& m) { m.accelerator = "kvm"; }, "-accel", "kvm"},
        Case{"PrivateMemory", nullptr, "-object", "memory-backend-ram,id=mem,size=134217728"},
        Case{"SharedMemory", [](auto& m) { m.memory.shared = true; }, "-object",
             "memory-backend-memfd,id=mem,share=on,size=134217728"},
        Case{"HugePages", [](auto& m) { m.memory.huge_pages = true; }, "-object",
             "memory-backend-memfd,hugetlb=on,hugetlbsize=2097152,id=mem,share=off,size=134217728"},
        Case{"PreallocatedMemory", [](auto& m) { m.memory.prealloc = true; }, "-object",
             "memory-backend-ram,id=mem,prealloc=on,size=134217728"},
        Case{"LockedMemory", [](auto& m) { m.memory_lock = true; }, "-overcommit", "mem-lock=on"},
        Case{"PcMachine", [](auto& m) { m.machine_type = "pc"; }, "-machine",
             "pc,memory-backend=mem,sata=off,smbus=off,usb=off,vmport=off,i8042=off"},
        Case{"MachineAccelerators", [](auto& m) { m.machine_accelerators = "hpet=off"; }, "-machine",
             "q35,memory-backend=mem,sata=off,smbus=off,usb=off,vmport=off,i8042=off,hpet=off"},
        Case{"NestedKvmCpu", [](auto& m) { m.accelerator = "kvm", m.nested = true; }, "-cpu", "host,pmu=off"},
        Case{"NestedTcgCpu", [](auto& m) { m.nested = true; }, "-cpu", "max,-erms"},
        Case{"MemoryThatGrows", [](auto& m) { m.max_memory_mib = 1024; }, "-m", "128M,slots=1,maxmem=1024M"},
        Case{"VcpusThatGrow", [](auto& m) { m.max_vcpus = 4; }, "-smp", "1,maxcpus=4"},
        Case{"MoreOptions",
             [](auto& m) {
               m.more_options = {{"rtc", "base=utc"}, {"snapshot", ""}};
             },
             "-rtc", "base=utc"},
        Case{"Panic", nullptr, "-device", "pvpanic,id=panic0"},
        Case{"PcPanic", [](auto& m) { m.machine_type = "pc"; }, "-device", "pvpanic,id=panic0"},
        Case{"ScsiController", nullptr, "-device", "virtio-scsi-pci,id=scsi0"},
        Case{"MemorySize", [](auto& m) { m.memory_mib = 512, m.max_memory_mib = 512; }, "-m", "512M"},
        Case{"Vcpus", [](auto& m) { m.vcpus = 3; }, "-smp", "3,maxcpus=3"},
        Case{"Firmware", nullptr, "-bios", "/fw.rom"},
        Case{"KernelIsNotEscaped", [](auto& m) { m.kernel_path = "/a,b"; }, "-kernel", "/a,b"},
        Case{"CommandLineIsNotEscaped", [](auto& m) { m.kernel_command_line = "a=b,c"; }, "-append", "a=b,c"},
        Case{"RunDirIsEscaped", [](auto& m) { m.run_dir = "/a,b c"; }, "-name", "vcd:/a,,b c/"},
        Case{"Console", nullptr, "-chardev", "socket,id=console,fd=6,server=on,wait=off"},
        Case{"ControlSocket", nullptr, "-chardev", "socket,id=ctl,fd=3,server=on,wait=off"},
        Case{"MonitorSocket", nullptr, "-chardev", "socket,id=mon,fd=4,server=on,wait=off"},
        Case{"AgentSocket", nullptr, "-chardev", "socket,id=agent,fd=5,server=on,wait=off"},
        Case{"AgentPort", nullptr, "-device", "virtserialport,bus=serial0.0,chardev=agent,id=agent0,name=vcd.agent"},
        Case{"Sandbox", nullptr, "-sandbox",
             "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

TEST(QemuCommandLineShapeTest, StartsStoppedAndEndsAtAReset) {
  const std::vector<std::string> argv = QemuCommandLine(Machine());
  EXPECT_EQ(argv[0], "/usr/bin/qemu-system-x86_64");
  EXPECT_THAT(argv, Contains("-S"));
  EXPECT_THAT(argv, Contains("-no-reboot"));
  EXPECT_THAT(argv, Contains("-nodefaults"));
}

// The slots that have a root port.
std::vector<std::string> RootPorts(const QemuMachineDescription& machine) {
  std::vector<std::string> ports;
  for (const std::string& argument : QemuCommandLine(machine)) {
    if (absl::StartsWith(argument, "pcie-root-port,id=rp"))
      ports.push_back(argument.substr(20, argument.find(',', 20) - 20));
  }
  return ports;
}

TEST(QemuCommandLineShapeTest, PortsOnlyForWhatCanCome) {
  QemuMachineDescription machine = Machine();
  EXPECT_THAT(RootPorts(machine), IsEmpty());
  machine.hotplug_slots = 2;
  EXPECT_THAT(RootPorts(machine), ElementsAre(absl::StrCat(kFirstFreeSlot), absl::StrCat(kFirstFreeSlot + 1)));
  machine.hotplug_slots = 0;
  machine.max_memory_mib = 256;
  EXPECT_THAT(RootPorts(machine), ElementsAre(absl::StrCat(kMemorySlot)));
  machine.max_memory_mib = 128;
  machine.memory.shared = true;
  machine.file_server_port = true;
  EXPECT_THAT(RootPorts(machine), SizeIs(1));
  machine.machine_type = "pc";
  EXPECT_THAT(RootPorts(machine), IsEmpty());
}

TEST(QemuCommandLineShapeTest, MachineOutOfAnImageHasTheSameDevicesAndNoKernel) {
  QemuMachineDescription machine = Machine();
  machine.memory_file = "/proc/self/fd/10";
  machine.file_server_port = true;
  machine.incoming = true;
  const std::vector<std::string> clone = QemuCommandLine(machine);
  EXPECT_THAT(clone, Contains("memory-backend-file,id=mem,mem-path=/proc/self/fd/10,share=off,size=134217728"));
  EXPECT_THAT(clone, Contains("-incoming"));
  for (const char* option : {"-kernel", "-initrd", "-append"}) EXPECT_THAT(clone, Not(Contains(option)));
  machine.incoming = false;
  machine.memory.shared = true;
  const std::vector<std::string> first = QemuCommandLine(machine);
  EXPECT_THAT(first, Contains("memory-backend-file,id=mem,mem-path=/proc/self/fd/10,share=on,size=134217728"));
  const auto devices = [](const std::vector<std::string>& argv) {
    std::vector<std::string> all;
    for (size_t i = 0; i + 1 < argv.size(); ++i) {
      if (argv[i] == "-device" || argv[i] == "-machine" || argv[i] == "-cpu" || argv[i] == "-smp" || argv[i] == "-m") {
        all.push_back(argv[i + 1]);
      }
    }
    return all;
  };
  EXPECT_EQ(devices(clone), devices(first));
}

TEST(QemuCommandLineShapeTest, NoControllerWhereNoDiskIsBehindIt) {
  QemuMachineDescription machine = Machine();
  machine.scsi_controller = false;
  EXPECT_THAT(QemuCommandLine(machine), Not(Contains(HasSubstr("virtio-scsi"))));
}

TEST(QemuCommandLineShapeTest, MoreOptionsComeLast) {
  QemuMachineDescription machine = Machine();
  machine.more_options = {{"rtc", "base=utc"}, {"snapshot", ""}};
  const std::vector<std::string> argv = QemuCommandLine(machine);
  EXPECT_THAT(std::vector<std::string>(argv.end() - 3, argv.end()), ElementsAre("-rtc", "base=utc", "-snapshot"));
}

TEST(QemuCommandLineShapeTest, MarkerIsOneWholeArgument) {
  QemuMachineDescription machine = Machine();
  machine.run_dir = "/run/a,b";
  EXPECT_THAT(QemuCommandLine(machine), Contains(QemuProcessMarker(machine.run_dir)));
  // A pod whose name begins with another's is not taken for it.
  EXPECT_THAT(QemuProcessMarker("/run/pods/ab"), Not(HasSubstr(QemuProcessMarker("/run/pods/a"))));
}

}  // namespace
}  // namespace vcd
