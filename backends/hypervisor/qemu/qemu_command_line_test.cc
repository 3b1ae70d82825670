// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace vcd {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

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
        Case{"TcgCpu", nullptr, "-cpu", "max"}, Case{"KvmCpu", [](auto& m) { m.accelerator = "kvm"; }, "-cpu", "host"},
        Case{"TcgAcceleratorIsBounded", nullptr, "-accel", "tcg,tb-size=256"},
        Case{"KvmAccelerator", [](auto& m) { m.accelerator = "kvm"; }, "-accel", "kvm"},
        Case{"PrivateMemory", nullptr, "-object", "memory-backend-ram,id=mem,size=128M"},
        Case{"SharedMemory", [](auto& m) { m.shared_memory = true; }, "-object",
             "memory-backend-memfd,share=on,id=mem,size=128M"},
        Case{"MemorySize", [](auto& m) { m.memory_mib = 512; }, "-m", "512M"},
        Case{"Vcpus", [](auto& m) { m.vcpus = 3; }, "-smp", "3"}, Case{"Firmware", nullptr, "-bios", "/fw.rom"},
        Case{"KernelIsNotEscaped", [](auto& m) { m.kernel_path = "/a,b"; }, "-kernel", "/a,b"},
        Case{"CommandLineIsNotEscaped", [](auto& m) { m.kernel_command_line = "a=b,c"; }, "-append", "a=b,c"},
        Case{"RunDirIsEscaped", [](auto& m) { m.run_dir = "/a,b c"; }, "-name", "vcd:/a,,b c/"},
        Case{"Console", nullptr, "-chardev", "socket,id=console,fd=6,server=on,wait=off"},
        Case{"ControlSocket", nullptr, "-chardev", "socket,id=ctl,fd=3,server=on,wait=off"},
        Case{"MonitorSocket", nullptr, "-chardev", "socket,id=mon,fd=4,server=on,wait=off"},
        Case{"AgentSocket", nullptr, "-chardev", "socket,id=agent,fd=5,server=on,wait=off"},
        Case{"AgentPort", nullptr, "-device", "virtserialport,bus=serial0.0,chardev=agent,id=agent0,name=vcd.agent"},
        Case{"LastRootPort", [](auto& m) { m.shared_memory = true; }, "-device",
             "pcie-root-port,id=rp8,chassis=8,slot=8"},
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

TEST(QemuCommandLineShapeTest, PortsForDirectoriesOnlyWhereTheyAreShared) {
  EXPECT_THAT(QemuCommandLine(Machine()), Contains("pcie-root-port,id=rp2,chassis=2,slot=2"));
  EXPECT_THAT(QemuCommandLine(Machine()), Not(Contains(HasSubstr("id=rp3"))));
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
