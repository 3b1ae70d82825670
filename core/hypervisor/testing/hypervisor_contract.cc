// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/testing/hypervisor_contract.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/netlink/tap_device.h"
#include "core/netns/network_namespace.h"
#include "core/os/cancellation.h"
#include "core/os/completion.h"
#include "core/os/mutex.h"

namespace vcd {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

// Catches what OnExit tells, and on which thread, and how often.
class ExitListener {
 public:
  explicit ExitListener(IoThread& io) : io_(io) {}

  std::function<void(const std::string&)> Callback() {
    return [this](const std::string& reason) {
      EXPECT_TRUE(io_.OnThread());
      MutexLock lock(&mu_);
      reasons_.push_back(reason);
      told_.Set(reason);
    };
  }

  absl::StatusOr<std::string> Wait(const CallContext& context) { return told_.Wait(context, "OnExit"); }

  // After everything the I/O thread had to do.
  size_t count() {
    Completion<bool> drained;
    io_.Post([drained] { drained.Set(true); });
    EXPECT_TRUE(drained.Wait({absl::Now() + absl::Seconds(10), nullptr}, "drain").ok());
    MutexLock lock(&mu_);
    return reasons_.size();
  }

 private:
  IoThread& io_;
  Mutex mu_;
  std::vector<std::string> reasons_ ABSL_GUARDED_BY(mu_);
  Completion<std::string> told_;
};

}  // namespace

HypervisorContract::HypervisorContract() {
  char root[] = "/tmp/vcd-test-XXXXXX";
  root_ = mkdtemp(root);
  run_dir_ = root_ + "/run";
  std::filesystem::create_directory(run_dir_);
  hypervisor_ = GetParam().make(io_);
}

HypervisorContract::~HypervisorContract() {
  EXPECT_EQ(hypervisor_->Reap(run_dir_, Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
  EXPECT_THAT(FilesInRunDir(), IsEmpty());
  hypervisor_.reset();
  std::filesystem::remove_all(root_);
}

CallContext HypervisorContract::Soon() const { return {absl::Now() + GetParam().step_limit, nullptr}; }

VmSpec HypervisorContract::Spec() const {
  VmSpec spec;
  spec.pod_id = "pod-1";
  spec.run_dir = run_dir_;
  spec.shared_memory = hypervisor_->capabilities().directory_sharing;
  auto config = hypervisor_->Resolve(GetParam().config);
  EXPECT_TRUE(config.ok()) << config.status();
  if (config.ok()) spec.config = *config;
  return spec;
}

std::unique_ptr<VirtualMachine> HypervisorContract::Boot() {
  auto machine = hypervisor_->Boot(Spec(), Soon());
  EXPECT_TRUE(machine.ok()) << machine.status();
  return machine.ok() ? *std::move(machine) : nullptr;
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> HypervisorContract::Adopt(const state::v1::VirtualMachine& record) {
  return hypervisor_->Adopt(Spec(), record, Soon());
}

void HypervisorContract::RestartDaemon() {
  if (GetParam().survives_restart) hypervisor_ = GetParam().make(io_);
}

std::vector<std::string> HypervisorContract::Running() { return GetParam().running(*hypervisor_, run_dir_); }

std::vector<std::string> HypervisorContract::FilesInRunDir() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(run_dir_)) {
    // The console outlives its machine.
    const std::string name = entry.path().filename();
    if (name != "console.log" && name != "console.log.1") names.push_back(name);
  }
  return names;
}

std::string HypervisorContract::MakeImage(const std::string& name) const {
  const std::string path = root_ + "/" + name;
  std::ofstream(path) << std::string(4096, 'x');
  std::filesystem::resize_file(path, 1 << 20);
  return path;
}

std::string HypervisorContract::MakeDirectory(const std::string& name) const {
  const std::string path = root_ + "/" + name;
  std::filesystem::create_directory(path);
  return path;
}

TEST_P(HypervisorContract, ResolveFillsDefaultsOnce) {
  auto once = hypervisor_->Resolve(GetParam().config);
  ASSERT_TRUE(once.ok()) << once.status();
  EXPECT_GT(once->default_vcpus(), 0u);
  EXPECT_GT(once->default_memory_mib(), 0u);
  auto twice = hypervisor_->Resolve(*once);
  ASSERT_TRUE(twice.ok()) << twice.status();
  EXPECT_EQ(twice->SerializeAsString(), once->SerializeAsString());
}

TEST_P(HypervisorContract, ResolveRefusesNonsense) {
  v1::HypervisorConfig config = GetParam().config;
  config.set_default_memory_mib(1);
  EXPECT_EQ(hypervisor_->Resolve(config).status().code(), absl::StatusCode::kInvalidArgument);
  config = GetParam().config;
  config.set_default_vcpus(100000);
  EXPECT_EQ(hypervisor_->Resolve(config).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(HypervisorContract, StopsInOrderAndAgain) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  EXPECT_THAT(Running(), Not(IsEmpty()));
  EXPECT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
  EXPECT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  EXPECT_EQ(machine->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, StopsByForce) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  EXPECT_EQ(machine->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
}

TEST_P(HypervisorContract, StopsAlthoughItsContextHasEnded) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  EXPECT_EQ(machine->Stop(StopMode::kOrderly, {absl::InfinitePast(), &cancellation}), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
}

TEST_P(HypervisorContract, BootsAgainWhereOneHasStopped) {
  auto first = Boot();
  ASSERT_NE(first, nullptr);
  ASSERT_EQ(first->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  auto second = Boot();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, CancelledBootLeavesNothing) {
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  EXPECT_EQ(hypervisor_->Boot(Spec(), {absl::InfiniteFuture(), &cancellation}).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_THAT(Running(), IsEmpty());
  EXPECT_THAT(FilesInRunDir(), IsEmpty());
}

TEST_P(HypervisorContract, BootCutShortLeavesNothing) {
  // Too short for a real machine, long enough for others: either it runs, or there is nothing.
  auto machine = hypervisor_->Boot(Spec(), {absl::Now() + absl::Milliseconds(5), nullptr});
  if (machine.ok()) {
    EXPECT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
    return;
  }
  EXPECT_EQ(machine.status().code(), absl::StatusCode::kDeadlineExceeded) << machine.status();
  EXPECT_THAT(Running(), IsEmpty());
  EXPECT_THAT(FilesInRunDir(), IsEmpty());
}

TEST_P(HypervisorContract, RunsOnWithoutItsHandleAndIsAdopted) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const state::v1::VirtualMachine record = machine->Record();
  machine.reset();
  RestartDaemon();
  EXPECT_THAT(Running(), Not(IsEmpty()));
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Record().SerializeAsString(), record.SerializeAsString());
  EXPECT_EQ((*adopted)->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
}

TEST_P(HypervisorContract, AdoptOfOneThatEndedIsNotFound) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  machine.reset();
  RestartDaemon();
  EXPECT_EQ(Adopt(record).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Adopt(state::v1::VirtualMachine()).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(HypervisorContract, AdoptOfAnEarlierMachineOfThePodIsNotFound) {
  auto first = Boot();
  ASSERT_NE(first, nullptr);
  const state::v1::VirtualMachine record = first->Record();
  ASSERT_EQ(first->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  auto second = Boot();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(Adopt(record).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(second->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, TellsItsEndOnce) {
  ExitListener listener(io_);
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  machine->OnExit(listener.Callback());
  EXPECT_EQ(listener.count(), 0u);
  ASSERT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  auto reason = listener.Wait(Soon());
  ASSERT_TRUE(reason.ok()) << reason.status();
  EXPECT_THAT(*reason, Not(IsEmpty()));
  EXPECT_EQ(listener.count(), 1u);
}

TEST_P(HypervisorContract, TellsACrash) {
  ExitListener listener(io_);
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  machine->OnExit(listener.Callback());
  GetParam().crash(*hypervisor_, Spec(), *machine);
  auto reason = listener.Wait(Soon());
  ASSERT_TRUE(reason.ok()) << reason.status();
  EXPECT_THAT(*reason, Not(IsEmpty()));
  EXPECT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  EXPECT_EQ(listener.count(), 1u);
}

TEST_P(HypervisorContract, TellsAnEndThatWasBefore) {
  ExitListener listener(io_);
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  ASSERT_EQ(machine->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  machine->OnExit(listener.Callback());
  EXPECT_TRUE(listener.Wait(Soon()).ok());
  EXPECT_EQ(listener.count(), 1u);
}

TEST_P(HypervisorContract, TakesTheExitCallbackBack) {
  ExitListener listener(io_);
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  machine->OnExit(listener.Callback());
  machine->OnExit(nullptr);
  ASSERT_EQ(machine->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  EXPECT_EQ(listener.count(), 0u);
}

TEST_P(HypervisorContract, AdoptedOneTellsItsEnd) {
  ExitListener listener(io_);
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const state::v1::VirtualMachine record = machine->Record();
  machine.reset();
  RestartDaemon();
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  (*adopted)->OnExit(listener.Callback());
  GetParam().crash(*hypervisor_, Spec(), **adopted);
  EXPECT_TRUE(listener.Wait(Soon()).ok());
}

TEST_P(HypervisorContract, ReapEndsWhatNoRecordTellsOf) {
  ExitListener listener(io_);
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  machine->OnExit(listener.Callback());
  EXPECT_EQ(hypervisor_->Reap(run_dir_, Soon()), absl::OkStatus());
  EXPECT_TRUE(listener.Wait(Soon()).ok());
  EXPECT_THAT(Running(), IsEmpty());
  EXPECT_THAT(FilesInRunDir(), IsEmpty());
  EXPECT_EQ(hypervisor_->Reap(run_dir_, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, ReapOfAnotherDirectoryDoesNoHarm) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  // The name of one pod may begin with another's.
  EXPECT_EQ(hypervisor_->Reap(run_dir_.substr(0, run_dir_.size() - 1), Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), Not(IsEmpty()));
  EXPECT_EQ(machine->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, ReapOfAMissingDirectoryIsOk) {
  EXPECT_EQ(hypervisor_->Reap(root_ + "/never-was", Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, PausesAndResumesAgainAndAgain) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  if (!hypervisor_->capabilities().pause) {
    EXPECT_EQ(machine->Pause(Soon()).code(), absl::StatusCode::kUnimplemented);
    return;
  }
  EXPECT_EQ(machine->Pause(Soon()), absl::OkStatus());
  EXPECT_EQ(machine->Pause(Soon()), absl::OkStatus());
  EXPECT_EQ(machine->Resume(Soon()), absl::OkStatus());
  EXPECT_EQ(machine->Resume(Soon()), absl::OkStatus());
  EXPECT_EQ(machine->Pause(Soon()), absl::OkStatus());
  EXPECT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, ConnectsToTheAgentsPort) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  auto stream = machine->ConnectAgent(Soon());
  if (!hypervisor_->capabilities().agent_channel) {
    EXPECT_EQ(stream.status().code(), absl::StatusCode::kUnimplemented);
    return;
  }
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_TRUE(stream->valid());
  stream->Reset();
  EXPECT_TRUE(machine->ConnectAgent(Soon()).ok());
}

TEST_P(HypervisorContract, KeepsDisksApart) {
  if (!hypervisor_->capabilities().disk_hotplug) GTEST_SKIP() << "no disks";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string image = MakeImage("a,b image");
  auto first = machine->AttachDisk({"one", image}, Soon());
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = machine->AttachDisk({"two", image}, Soon());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(std::make_pair(first->scsi.lun, first->serial), std::make_pair(second->scsi.lun, second->serial));
  EXPECT_EQ(machine->AttachDisk({"one", image}, Soon()).status().code(), absl::StatusCode::kAlreadyExists);
  ASSERT_EQ(machine->Record().block_devices_size(), 2);

  EXPECT_EQ(machine->DetachDisk("one", Soon()), absl::OkStatus());
  EXPECT_EQ(machine->DetachDisk("one", Soon()), absl::OkStatus());
  ASSERT_EQ(machine->Record().block_devices_size(), 1);
  EXPECT_EQ(machine->Record().block_devices(0).id(), "two");
  auto again = machine->AttachDisk({"three", image}, Soon());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->scsi.lun, first->scsi.lun);
}

TEST_P(HypervisorContract, FailedAttachLeavesNothing) {
  if (!hypervisor_->capabilities().disk_hotplug || !GetParam().checks_paths) GTEST_SKIP() << "takes every path";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  EXPECT_EQ(machine->AttachDisk({"one", root_ + "/none"}, Soon()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(machine->AttachDisk({"one", root_}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(machine->Record().block_devices_size(), 0);
  EXPECT_TRUE(machine->AttachDisk({"one", MakeImage("image")}, Soon()).ok());
}

TEST_P(HypervisorContract, AdoptUnplugsWhatTheRecordDoesNotName) {
  if (!hypervisor_->capabilities().disk_hotplug) GTEST_SKIP() << "no disks";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string image = MakeImage("image");
  ASSERT_TRUE(machine->AttachDisk({"one", image}, Soon()).ok());
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_TRUE(machine->AttachDisk({"two", image}, Soon()).ok());
  machine.reset();
  RestartDaemon();
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Record().SerializeAsString(), record.SerializeAsString());
  EXPECT_TRUE((*adopted)->AttachDisk({"two", image}, Soon()).ok());
  EXPECT_EQ((*adopted)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, AdoptedOneKeepsItsDisks) {
  if (!hypervisor_->capabilities().disk_hotplug) GTEST_SKIP() << "no disks";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string image = MakeImage("image");
  ASSERT_TRUE(machine->AttachDisk({"one", image}, Soon()).ok());
  ASSERT_TRUE(machine->AttachDisk({"two", image}, Soon()).ok());
  const state::v1::VirtualMachine record = machine->Record();
  machine.reset();
  RestartDaemon();
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->AttachDisk({"two", image}, Soon()).status().code(), absl::StatusCode::kAlreadyExists);
  auto third = (*adopted)->AttachDisk({"three", image}, Soon());
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ(third->scsi.lun, 2u);
  EXPECT_EQ((*adopted)->DetachDisk("one", Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, NicsComeAndGoAlsoAfterARestart) {
  if (!hypervisor_->capabilities().nic_hotplug) GTEST_SKIP() << "no network interfaces";
  const absl::StatusOr<NetworkNamespace> network = NetworkNamespace::Make();
  if (!network.ok()) GTEST_SKIP() << network.status();
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  int taps_made = 0;
  const auto attach = [&](VirtualMachine& to, const std::string& id, const std::string& mac) {
    NicSpec nic;
    nic.id = id;
    nic.mac = mac;
    nic.mtu = 1400;
    auto taps = OpenTapQueues(*network, absl::StrCat("test", taps_made++), /*queues=*/2, /*existing=*/false);
    EXPECT_TRUE(taps.ok()) << taps.status();
    if (taps.ok()) nic.taps = *std::move(taps);
    return to.AttachNic(std::move(nic), Soon());
  };
  ASSERT_EQ(attach(*machine, "nic-a", "02:00:5e:00:53:01"), absl::OkStatus());
  EXPECT_EQ(attach(*machine, "nic-a", "02:00:5e:00:53:02").code(), absl::StatusCode::kAlreadyExists);
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_EQ(record.pci_devices_size(), 1);
  EXPECT_EQ(record.pci_devices(0).id(), "nic-a");
  EXPECT_EQ(record.pci_devices(0).kind(), "nic");
  EXPECT_EQ(record.pci_devices(0).mac(), "02:00:5e:00:53:01");
  ASSERT_EQ(attach(*machine, "nic-b", "02:00:5e:00:53:02"), absl::OkStatus());

  machine.reset();
  RestartDaemon();
  // A guest that boots may still be at work on the ports: what no record names goes once it listens.
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Record().pci_devices_size(), 1);
  ASSERT_EQ(attach(**adopted, "nic-b", "02:00:5e:00:53:02"), absl::OkStatus());
  EXPECT_EQ((*adopted)->DetachNic("nic-a", Soon()), absl::OkStatus());
  EXPECT_EQ((*adopted)->DetachNic("nic-a", Soon()), absl::OkStatus());
  ASSERT_EQ((*adopted)->Record().pci_devices_size(), 1);
  EXPECT_EQ((*adopted)->Record().pci_devices(0).id(), "nic-b");
  EXPECT_EQ((*adopted)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, VcpusComeAndStayOverARestart) {
  if (!hypervisor_->capabilities().resize) return;
  v1::HypervisorConfig config = GetParam().config;
  config.set_default_vcpus(1);
  config.set_max_vcpus(3);
  config.set_max_memory_mib(256);
  VmSpec spec = Spec();
  auto resolved = hypervisor_->Resolve(config);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  spec.config = *resolved;
  auto booted = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(booted.ok()) << booted.status();
  const uint32_t memory_mib = spec.config.default_memory_mib();
  EXPECT_EQ((*booted)->Record().vcpus(), 1u);
  EXPECT_EQ((*booted)->Record().memory_mib(), memory_mib);
  auto grown = (*booted)->Resize({2, 0}, Soon());
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_EQ(grown->vcpus, 2u);
  EXPECT_EQ(grown->memory_mib, memory_mib);
  EXPECT_EQ((*booted)->Resize({4, 0}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*booted)->Resize({0, 258}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*booted)->Resize({1, 0}, Soon())->vcpus, 2u) << "none is unplugged";

  const state::v1::VirtualMachine record = (*booted)->Record();
  booted->reset();
  RestartDaemon();
  auto adopted = hypervisor_->Adopt(spec, record, Soon());
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Record().vcpus(), 2u);
  EXPECT_EQ((*adopted)->Resize({3, 0}, Soon())->vcpus, 3u);
}

TEST_P(HypervisorContract, AnEndedOneSaysSo) {
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  ASSERT_EQ(machine->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  if (hypervisor_->capabilities().agent_channel) {
    EXPECT_EQ(machine->ConnectAgent(Soon()).status().code(), absl::StatusCode::kUnavailable);
  }
  if (hypervisor_->capabilities().pause) {
    EXPECT_EQ(machine->Pause(Soon()).code(), absl::StatusCode::kUnavailable);
  }
  if (hypervisor_->capabilities().disk_hotplug) {
    EXPECT_EQ(machine->AttachDisk({"one", MakeImage("image")}, Soon()).status().code(), absl::StatusCode::kUnavailable);
  }
  machine->ConsoleTail();
}

}  // namespace vcd
