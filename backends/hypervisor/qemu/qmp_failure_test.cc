// SPDX-License-Identifier: Apache-2.0
// Every operation that changes a machine, with each of its QMP commands refused in turn, and with the operation
// preempted at each: nothing is left of an attachment that failed, and a detachment that failed can be done again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/machine_options.h"
#include "backends/hypervisor/qemu/qemu_disks.h"
#include "backends/hypervisor/qemu/qemu_pci_devices.h"
#include "backends/hypervisor/qemu/qemu_size.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"
#include "core/os/testing/temporary_directory.h"
#include "core/os/unix_socket.h"

namespace vcd {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;

constexpr uint64_t kMib = 1 << 20;

CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

// A machine of 128 MiB and one vCPU that can have 1024 MiB and three, and what can be plugged into it.
class Machine {
 public:
  Machine() {
    std::ofstream(directory_.path() + "/image") << "x";
    switch_ = *ListenUnix(directory_.path(), "switch", 8);
    using Held = std::set<std::string>;
    peer_.Answer("query-memdev", [](const json&, const Held&) {
      return json::array({{{"id", "mem"}, {"share", true}}});
    });
    peer_.Answer("query-memory-size-summary", [](const json&, const Held&) {
      return json{{"base-memory", 128 * kMib}};
    });
    peer_.Answer("query-memory-devices", [this](const json&, const Held& held) {
      if (held.count("device memory0") == 0) return json::array();
      return json::array({{{"data", {{"id", "memory0"}, {"size", asked_memory_.load()}}}}});
    });
    // Of an interface.
    peer_.Answer("qom-get",
                 [](const json& arguments, const Held&) { return arguments["property"] == "vectors" ? 4 : 0; });
    // The guest does what it is asked at once.
    peer_.Answer("qom-set", [this](const json& arguments, const Held&) {
      asked_memory_ = arguments["value"].get<uint64_t>();
      return json::object();
    });
    peer_.Answer("query-hotpluggable-cpus", [](const json&, const Held& held) {
      json cpus = json::array();
      for (int core = 0; core < 3; ++core) {
        json cpu = {{"type", "cpu"}, {"vcpus-count", 1}, {"props", {{"core-id", core}}}};
        if (core == 0 || held.count(absl::StrCat("device cpu-", core)) != 0) cpu["qom-path"] = "/machine/cpu";
        cpus.push_back(cpu);
      }
      return cpus;
    });
    qmp_ = *QmpClient::Connect(io_, peer_.TakeClientSocket(), "ctl", {}, Soon());
    for (const char* driver : {kVirtioScsi, kVirtioBlk}) {
      disks_[driver] = std::make_unique<QemuDisks>(*qmp_, slots_, driver);
    }
    devices_ = std::make_unique<QemuPciDevices>(*qmp_, slots_);
    size_ = *QemuSize::Read(*qmp_, {"q35", {}, 1024}, Soon());
  }

  ScriptedQmpPeer& peer() { return peer_; }
  QemuPciDevices& devices() { return *devices_; }
  QemuSize& size() { return *size_; }

  absl::Status AttachDisk(const std::string& driver, bool writable, const CallContext& context) {
    return disks_[driver]->Attach({"disk", directory_.path() + "/image", writable}, context).status();
  }
  absl::Status DetachDisk(const std::string& driver, const CallContext& context) {
    return disks_[driver]->Detach("disk", context);
  }

  absl::Status AttachTaps(size_t queues, bool vhost, const CallContext& context) {
    return devices_->AttachNic(Nic(queues, vhost), context);
  }
  absl::Status RestoreTaps(size_t queues, const CallContext& context) {
    return devices_->RestoreNic(kFirstFreeSlot, Nic(queues, /*vhost=*/false), context);
  }
  absl::Status AttachVhostUser(const CallContext& context) {
    return devices_->AttachNic({"nic", "02:00:5e:00:53:01", 1500, {}, {}, directory_.path() + "/switch"}, context);
  }

  // Memory that the guest was asked for beside that of the boot.
  uint64_t asked_memory() const { return asked_memory_; }

  // What a record would tell of.
  int Recorded() {
    state::v1::VirtualMachine record;
    for (const auto& [driver, disks] : disks_) disks->WriteTo(&record);
    devices_->WriteTo(&record);
    return record.block_devices_size() + record.pci_devices_size();
  }
  // Whether all places for PCI devices are free.
  bool HasAllPlaces() {
    for (uint32_t i = 0; i < kPlaces; ++i) {
      if (!slots_.Take("whatever").ok()) return false;
    }
    for (uint32_t i = 0; i < kPlaces; ++i) slots_.Release(kFirstFreeSlot + i);
    return true;
  }
  // Whether every descriptor that was given away has been closed.
  bool AllClosed() const {
    for (const UniqueFd& watched : watched_) {
      char byte;
      if (read(watched.get(), &byte, 1) != 0) return false;
    }
    return true;
  }

 private:
  static constexpr uint32_t kPlaces = 2;

  NicSpec Nic(size_t queues, bool vhost) {
    NicSpec nic{"nic", "02:00:5e:00:53:01", 1500, {}, {}, ""};
    for (size_t i = 0; i < queues; ++i) nic.taps.push_back(Given());
    for (size_t i = 0; vhost && i < queues; ++i) nic.vhost.push_back(Given());
    return nic;
  }

  // One end of a pipe, whose other tells when it has been closed.
  UniqueFd Given() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) abort();
    watched_.emplace_back(ends[0]);
    return UniqueFd(ends[1]);
  }

  TemporaryDirectory directory_;
  UniqueFd switch_;
  IoThread io_;
  std::atomic<uint64_t> asked_memory_{0};
  std::vector<UniqueFd> watched_;
  ScriptedQmpPeer peer_;
  std::unique_ptr<QmpClient> qmp_;
  PciSlots slots_{"q35", kPlaces};
  std::map<std::string, std::unique_ptr<QemuDisks>> disks_;
  std::unique_ptr<QemuPciDevices> devices_;
  std::unique_ptr<QemuSize> size_;
};

using Step = std::function<absl::Status(Machine&, const CallContext&)>;

struct Attachment {
  std::string name;
  Step attach;
  Step detach;
  int commands;  // Of an attachment, at least.
};

std::vector<Attachment> Attachments() {
  const auto disk = [](const char* name, const char* driver, bool writable) {
    return Attachment{name,
                      [=](Machine& m, const CallContext& context) { return m.AttachDisk(driver, writable, context); },
                      [=](Machine& m, const CallContext& context) { return m.DetachDisk(driver, context); }, 3};
  };
  const auto device = [](const char* name, Step attach, int commands) {
    return Attachment{name, std::move(attach),
                      [](Machine& m, const CallContext& context) {
                        // As interface and as device of the host: ids are of one kind.
                        absl::Status first = m.devices().Detach("nic", context);
                        first.Update(m.devices().Detach("gpu", context));
                        return first;
                      },
                      commands};
  };
  return {
      disk("Disk", kVirtioScsi, false),
      disk("WritableDisk", kVirtioScsi, true),
      disk("VirtioBlk", kVirtioBlk, true),
      device(
          "Tap", [](Machine& m, const CallContext& context) { return m.AttachTaps(1, false, context); }, 3),
      device(
          "QueuesWithVhost", [](Machine& m, const CallContext& context) { return m.AttachTaps(3, true, context); }, 8),
      device(
          "VhostUser", [](Machine& m, const CallContext& context) { return m.AttachVhostUser(context); }, 4),
      device(
          "Vfio",
          [](Machine& m, const CallContext& context) {
            return m.devices().AttachHostDevice("gpu", "0000:3b:00.0", context);
          },
          1)};
}

// How a command goes wrong.
enum class Fault { kRefused, kPreempted };

// Runs `step` with its n-th command going wrong; nothing when it has no such command.
std::optional<absl::Status> RunWith(Fault fault, int n, Machine& machine, const Step& step) {
  Cancellation cancellation;
  if (fault == Fault::kRefused) {
    machine.peer().RefuseCommand(n);
  } else {
    machine.peer().InterruptCommand(n, [&] { cancellation.Cancel(absl::AbortedError("preempted")); });
  }
  const absl::Status status = step(machine, {absl::Now() + absl::Minutes(1), &cancellation});
  const bool reached = machine.peer().WasReached();
  machine.peer().RefuseCommand(0);
  return reached ? std::make_optional(status) : std::nullopt;
}

class AttachmentFailureTest : public testing::TestWithParam<std::tuple<Attachment, Fault>> {};

TEST_P(AttachmentFailureTest, LeavesNothing) {
  const auto& [attachment, fault] = GetParam();
  int n = 1;
  for (;; ++n) {
    Machine machine;
    const std::optional<absl::Status> status = RunWith(fault, n, machine, attachment.attach);
    if (!status.has_value()) break;
    EXPECT_FALSE(status->ok()) << "command " << n << ": " << machine.peer().commands()[n];
    EXPECT_THAT(machine.peer().held(), IsEmpty()) << "command " << n;
    EXPECT_EQ(machine.Recorded(), 0) << "command " << n;
    EXPECT_TRUE(machine.HasAllPlaces()) << "command " << n;
    EXPECT_TRUE(machine.AllClosed()) << "command " << n;
    // What failed can be done again, and undone.
    EXPECT_EQ(attachment.attach(machine, Soon()), absl::OkStatus()) << "after command " << n;
    EXPECT_EQ(attachment.detach(machine, Soon()), absl::OkStatus()) << "after command " << n;
    EXPECT_THAT(machine.peer().held(), IsEmpty()) << "after command " << n;
  }
  EXPECT_GT(n, attachment.commands);
}

TEST_P(AttachmentFailureTest, IsDetachedAtTheLatestByTheNextCall) {
  const auto& [attachment, fault] = GetParam();
  int n = 1;
  for (;; ++n) {
    Machine machine;
    ASSERT_EQ(attachment.attach(machine, Soon()), absl::OkStatus());
    const std::optional<absl::Status> status = RunWith(fault, n, machine, attachment.detach);
    if (!status.has_value()) break;
    // While anything of it is there, the record says so.
    if (!status->ok()) {
      EXPECT_EQ(machine.Recorded(), 1) << "command " << n;
    }
    EXPECT_EQ(attachment.detach(machine, Soon()), absl::OkStatus()) << "after command " << n;
    EXPECT_THAT(machine.peer().held(), IsEmpty()) << "after command " << n;
    EXPECT_EQ(machine.Recorded(), 0);
    EXPECT_TRUE(machine.HasAllPlaces());
  }
  EXPECT_GT(n, 1);
}

INSTANTIATE_TEST_SUITE_P(Every, AttachmentFailureTest,
                         testing::Combine(testing::ValuesIn(Attachments()),
                                          testing::Values(Fault::kRefused, Fault::kPreempted)),
                         [](const auto& info) {
                           return std::get<0>(info.param).name +
                                  (std::get<1>(info.param) == Fault::kRefused ? "Refused" : "Preempted");
                         });

class ImageFailureTest : public testing::TestWithParam<Fault> {};

// A machine whose interface could not be plugged in again is of no use, and whoever asked hears of it.
TEST_P(ImageFailureTest, InterfaceThatIsNotRestoredIsTold) {
  int n = 1;
  for (;; ++n) {
    Machine machine;
    const std::optional<absl::Status> status = RunWith(
        GetParam(), n, machine, [](Machine& m, const CallContext& context) { return m.RestoreTaps(2, context); });
    if (!status.has_value()) break;
    EXPECT_FALSE(status->ok()) << "command " << n;
    EXPECT_TRUE(machine.AllClosed()) << "command " << n;
  }
  EXPECT_GT(n, 4);
}

TEST_P(ImageFailureTest, InterfaceThatIsNotDescribedIsTold) {
  int n = 1;
  for (;; ++n) {
    Machine machine;
    ASSERT_EQ(machine.AttachTaps(1, false, Soon()), absl::OkStatus());
    const std::optional<absl::Status> status =
        RunWith(GetParam(), n, machine,
                [](Machine& m, const CallContext& context) { return m.devices().DescribeForImage(context).status(); });
    if (!status.has_value()) break;
    EXPECT_FALSE(status->ok()) << "command " << n;
    EXPECT_EQ(machine.Recorded(), 1) << "command " << n;
    EXPECT_EQ(machine.devices().DescribeForImage(Soon()).status(), absl::OkStatus()) << "after command " << n;
  }
  EXPECT_GT(n, 3);
}

INSTANTIATE_TEST_SUITE_P(Every, ImageFailureTest, testing::Values(Fault::kRefused, Fault::kPreempted),
                         [](const auto& info) { return info.param == Fault::kRefused ? "Refused" : "Preempted"; });

class ResizeFailureTest : public testing::TestWithParam<Fault> {};

// vCPUs never go again, so those that came stay; memory goes back.
TEST_P(ResizeFailureTest, MemoryIsAsBeforeAndTheNextResizeSucceeds) {
  const Step grow = [](Machine& m, const CallContext& context) { return m.size().Resize({3, 512}, context).status(); };
  int n = 1;
  for (;; ++n) {
    Machine machine;
    const std::optional<absl::Status> status = RunWith(GetParam(), n, machine, grow);
    if (!status.has_value()) break;
    EXPECT_FALSE(status->ok()) << "command " << n;
    EXPECT_EQ(machine.size().now().memory_mib, 128u) << "command " << n;
    EXPECT_EQ(machine.asked_memory(), 0u) << "command " << n;
    const std::set<std::string> held = machine.peer().held();
    EXPECT_EQ(held.count("device memory0"), held.count("object memory0-ram")) << "command " << n;
    EXPECT_EQ(grow(machine, Soon()), absl::OkStatus()) << "after command " << n;
    EXPECT_EQ(machine.size().now().memory_mib, 512u);
    EXPECT_EQ(machine.size().now().vcpus, 3u);
  }
  EXPECT_GT(n, 6);
}

TEST_P(ResizeFailureTest, WhatShallGoAndDoesNotIsTold) {
  const Step shrink = [](Machine& m, const CallContext& context) {
    return m.size().Resize({0, 128}, context).status();
  };
  int n = 1;
  for (;; ++n) {
    Machine machine;
    ASSERT_TRUE(machine.size().Resize({0, 512}, Soon()).ok());
    const std::optional<absl::Status> status = RunWith(GetParam(), n, machine, shrink);
    if (!status.has_value()) break;
    EXPECT_FALSE(status->ok()) << "command " << n;
    EXPECT_EQ(machine.size().now().memory_mib, 512u) << "command " << n;
    EXPECT_EQ(shrink(machine, Soon()), absl::OkStatus()) << "after command " << n;
  }
  EXPECT_GT(n, 2);
}

INSTANTIATE_TEST_SUITE_P(Every, ResizeFailureTest, testing::Values(Fault::kRefused, Fault::kPreempted),
                         [](const auto& info) { return info.param == Fault::kRefused ? "Refused" : "Preempted"; });

}  // namespace
}  // namespace vcd
