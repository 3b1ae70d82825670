// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/testing/hypervisor_contract.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
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
    EXPECT_TRUE(drained.Wait({absl::Now() + absl::Minutes(1), nullptr}, "drain").ok());
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
  auto config = hypervisor_->Resolve(GetParam().config, CallContext());
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
  auto once = hypervisor_->Resolve(GetParam().config, CallContext());
  ASSERT_TRUE(once.ok()) << once.status();
  EXPECT_GT(once->default_vcpus(), 0u);
  EXPECT_GT(once->default_memory_mib(), 0u);
  auto twice = hypervisor_->Resolve(*once, CallContext());
  ASSERT_TRUE(twice.ok()) << twice.status();
  EXPECT_EQ(twice->SerializeAsString(), once->SerializeAsString());
}

TEST_P(HypervisorContract, ResolveRefusesNonsense) {
  v1::HypervisorConfig config = GetParam().config;
  config.set_default_memory_mib(1);
  EXPECT_EQ(hypervisor_->Resolve(config, CallContext()).status().code(), absl::StatusCode::kInvalidArgument);
  config = GetParam().config;
  config.set_default_vcpus(100000);
  EXPECT_EQ(hypervisor_->Resolve(config, CallContext()).status().code(), absl::StatusCode::kInvalidArgument);
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
