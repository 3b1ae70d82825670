// SPDX-License-Identifier: Apache-2.0
// Command lines as the real QEMU takes them: every machine of the table is made, answers, and ends, its guest unrun.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/qemu_command_line.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/os/io_thread.h"
#include "core/os/process.h"
#include "core/os/supervised_process.h"
#include "core/os/unix_socket.h"

namespace vcd {
namespace {

using nlohmann::json;

struct Variant {
  std::string name;
  std::function<void(QemuMachineDescription&)> change;
};

struct Case {
  std::string name;
  std::vector<Variant> variants;
};

// Every machine with every driver and every memory, and what else there is with each machine.
std::vector<Case> Table() {
  const std::vector<Variant> machines = {{"Q35", [](auto& m) { m.machine_type = "q35"; }},
                                         {"Pc", [](auto& m) { m.machine_type = "pc"; }}};
  const std::vector<Variant> drivers = {{"Scsi", [](auto& m) { m.scsi_controller = true; }},
                                        {"Blk", [](auto& m) { m.scsi_controller = false; }}};
  const std::vector<Variant> memories = {{"Private", [](auto&) {}},
                                         {"Shared", [](auto& m) { m.memory.shared = true; }},
                                         {"Prealloc", [](auto& m) { m.memory.prealloc = true; }},
                                         {"SharedPrealloc",
                                          [](auto& m) {
                                            m.memory = {true, false, true};
                                          }},
                                         {"Locked", [](auto& m) { m.memory_lock = true; }}};
  const std::vector<Variant> others = {
      {"Fixed", [](auto& m) { m.max_memory_mib = 64, m.max_vcpus = 1, m.hotplug_slots = 0; }},
      {"Large", [](auto& m) { m.max_memory_mib = 64 << 10, m.max_vcpus = 16, m.hotplug_slots = kMaxHotplugSlots; }},
      {"Accelerators", [](auto& m) { m.machine_accelerators = "hpet=off,smm=off"; }},
      {"Params",
       [](auto& m) {
         m.more_options = {{"global", "virtio-blk-pci.num-queues=1"}, {"no-hpet", ""}};
       }},
  };
  std::vector<Case> cases;
  for (const Variant& machine : machines) {
    for (const Variant& driver : drivers) {
      for (const Variant& memory : memories) {
        cases.push_back({machine.name + driver.name + memory.name, {machine, driver, memory}});
      }
    }
    for (const Variant& other : others) cases.push_back({machine.name + other.name, {machine, other}});
  }
  return cases;
}

class QemuMachineTypesTest : public testing::TestWithParam<Case> {
 protected:
  QemuMachineTypesTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    machine_.program = "/usr/bin/qemu-system-x86_64";
    machine_.pod_id = "pod-1";
    machine_.machine_type = "q35";
    machine_.accelerator = "tcg";
    machine_.firmware_path = "/usr/share/qemu/qboot.rom";
    machine_.kernel_path = MakeKernel();
    machine_.initrd_path = machine_.kernel_path;
    machine_.kernel_command_line = "quiet";
    machine_.run_dir = root_;
    machine_.memory_mib = 64;
    machine_.max_memory_mib = 512;
    machine_.max_vcpus = 2;
    machine_.hotplug_slots = 2;
    machine_.control_fd = 3;
    machine_.monitor_fd = 4;
    machine_.agent_fd = 5;
    machine_.console_fd = 6;
  }
  ~QemuMachineTypesTest() override { std::filesystem::remove_all(root_); }

  static CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }

  // As much of a bzImage as QEMU looks at: one setup sector with its header, and nothing behind it.
  std::string MakeKernel() {
    std::string image(8192, '\0');
    image[0x1f1] = 1;
    image.replace(0x202, 4, "HdrS");
    image[0x206] = 0x0c, image[0x207] = 0x02;     // Version 2.12.
    image[0x211] = 1;                             // Loaded high.
    image.replace(0x22c, 4, "\xff\xff\xff\x7f");  // Where an initrd may end.
    const std::string path = root_ + "/kernel";
    std::ofstream(path) << image;
    return path;
  }

  std::string Words() const {
    std::ifstream log(root_ + "/log");
    return std::string(std::istreambuf_iterator<char>(log), {});
  }

  std::string root_;
  QemuMachineDescription machine_;
  IoThread io_;
};

TEST_P(QemuMachineTypesTest, IsTakenByQemu) {
  for (const Variant& variant : GetParam().variants) variant.change(machine_);
  const UniqueFd control = *ListenUnix(root_, "ctl", 1), monitor = *ListenUnix(root_, "mon", 1),
                 agent = *ListenUnix(root_, "agent", 1), console = *ListenUnix(root_, "console", 1),
                 log(open((root_ + "/log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  LaunchSpec launch;
  launch.argv = QemuCommandLine(machine_);
  launch.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  launch.descriptors = {{control.get(), 3}, {monitor.get(), 4}, {agent.get(), 5}, {console.get(), 6}};
  launch.stderr_fd = log.get();
  auto launched = LaunchProcess(launch);
  ASSERT_TRUE(launched.ok()) << launched.status();
  auto process = SupervisedProcess::Watch(io_, *std::move(launched));
  auto qmp = QmpClient::Connect(io_, *ConnectUnix(root_, "ctl"), "ctl", {}, Soon());
  EXPECT_TRUE(qmp.ok()) << qmp.status() << "\n" << Words() << absl::StrJoin(launch.argv, " ");
  if (qmp.ok()) {
    const auto status = (*qmp)->Execute("query-status", nullptr, Soon());
    EXPECT_TRUE(status.ok()) << status.status();
    EXPECT_EQ(StringField(status.value_or(json()), "status"), "prelaunch");
    const auto cpus = (*qmp)->Execute("query-hotpluggable-cpus", nullptr, Soon());
    EXPECT_TRUE(cpus.ok()) << cpus.status();
    EXPECT_EQ(cpus.value_or(json()).size(), machine_.max_vcpus);
    // The last place that is handed out takes a device before the guest runs as well as after.
    if (machine_.hotplug_slots > 0) {
      json device = {{"driver", "virtio-balloon-pci"}, {"id", "test"}};
      device.update(PciSlotAddress(machine_.machine_type, kFirstFreeSlot + machine_.hotplug_slots - 1));
      const auto plugged = (*qmp)->Execute("device_add", device, Soon());
      EXPECT_TRUE(plugged.ok()) << plugged.status();
    }
    EXPECT_TRUE((*qmp)->Execute("quit", nullptr, Soon()).ok());
    EXPECT_TRUE(process->WaitExit(Soon()).ok());
    EXPECT_EQ(process->exit_description(), "exited with status 0");
  }
  EXPECT_TRUE(process->Terminate(absl::ZeroDuration()).ok());
}

INSTANTIATE_TEST_SUITE_P(Table, QemuMachineTypesTest, testing::ValuesIn(Table()),
                         [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

}  // namespace
}  // namespace vcd
