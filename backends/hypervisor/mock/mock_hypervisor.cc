// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/mock/mock_hypervisor.h"

#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/mock/mock_behavior.h"
#include "backends/mock/mock_files.h"
#include "core/hypervisor/exit_notice.h"
#include "core/hypervisor/machine_record.h"
#include "core/hypervisor/machine_size.h"
#include "core/os/mutex.h"
#include "core/os/process.h"
#include "core/os/run_file.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status WriteMarker(const std::string& run_dir, const state::v1::VirtualMachine& record) {
  const std::string path = MockMachineFile(run_dir);
  const std::string text = MockMachineIdentity(record);
  VCD_RETURN_IF_ERROR(RemoveMockFiles(run_dir));
  VCD_ASSIGN_OR_RETURN(const UniqueFd file, OpenLogFile(path));
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return PosixError(errno, absl::StrCat("write ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<state::v1::VirtualMachine> NewRecord() {
  state::v1::VirtualMachine record;
  // A machine boots once in a nanosecond, and what its behaviour counts from is told with it.
  record.mutable_process()->set_start_time_ticks(static_cast<uint64_t>(absl::ToUnixNanos(absl::Now())));
  VCD_ASSIGN_OR_RETURN(*record.mutable_process()->mutable_boot_id(), ReadBootId());
  record.set_accelerator("mock");
  return record;
}

absl::Time BootTime(const state::v1::VirtualMachine& record) {
  return absl::FromUnixNanos(static_cast<int64_t>(record.process().start_time_ticks()));
}

}  // namespace

// The machines that run, by run directory.
class MockHypervisor::Registry {
 public:
  void Add(const std::string& run_dir, const std::shared_ptr<Machine>& machine) {
    MutexLock lock(&mu_);
    machines_[run_dir] = machine;
  }

  void Remove(const std::string& run_dir, const Machine& machine) {
    std::shared_ptr<Machine> removed;  // Not destroyed under the mutex.
    MutexLock lock(&mu_);
    auto found = machines_.find(run_dir);
    if (found == machines_.end() || found->second.get() != &machine) return;
    removed = std::move(found->second);
    machines_.erase(found);
  }

  std::shared_ptr<Machine> Find(const std::string& run_dir) const {
    MutexLock lock(&mu_);
    auto found = machines_.find(run_dir);
    return found == machines_.end() ? nullptr : found->second;
  }

 private:
  mutable Mutex mu_;
  std::map<std::string, std::shared_ptr<Machine>> machines_ ABSL_GUARDED_BY(mu_);
};

// One machine of this daemon, whichever handles it has.
class MockHypervisor::Machine : public MockControl::Machine, public std::enable_shared_from_this<Machine> {
 public:
  Machine(const VmSpec& spec, state::v1::VirtualMachine record, const std::shared_ptr<Registry>& registry,
          std::shared_ptr<MockControl> control)
      : pod_id_(spec.pod_id),
        config_(spec.config),
        run_dir_(spec.run_dir),
        registry_(registry),
        control_(std::move(control)),
        record_(std::move(record)) {}

  // Makes it known, once it runs.
  void Register() {
    if (const std::shared_ptr<Registry> registry = registry_.lock()) registry->Add(run_dir_, shared_from_this());
    control_->AddMachine(pod_id_, weak_from_this(), BootTime(record()));
  }

  MockControl& control() { return *control_; }
  const v1::HypervisorConfig& config() const { return config_; }

  const std::string& pod_id() const { return pod_id_; }

  state::v1::VirtualMachine record() const {
    MutexLock lock(&mu_);
    return record_;
  }

  absl::Status CheckRunning() const {
    MutexLock lock(&mu_);
    return CheckRunningLocked();
  }

  absl::Status Change(const std::function<absl::Status(state::v1::VirtualMachine*)>& change) {
    MutexLock lock(&mu_);
    VCD_RETURN_IF_ERROR(CheckRunningLocked());
    return change(&record_);
  }

  // Whoever comes second waits for the first, so that nothing of this machine is left when another boots.
  absl::Status End(const std::string& reason) {
    MutexLock ending(&ending_mu_);
    {
      MutexLock lock(&mu_);
      if (!end_reason_.empty()) return absl::OkStatus();
      end_reason_ = reason;
    }
    // The guest first, so that it keeps nothing any more.
    control_->RemoveMachine(pod_id_, this);
    const absl::Status removed = RemoveMockFiles(run_dir_);
    if (const std::shared_ptr<Registry> registry = registry_.lock()) registry->Remove(run_dir_, *this);
    MutexLock lock(&mu_);
    for (ExitNotice* notice : notices_) notice->Tell(reason);
    told_ = true;
    return removed;
  }

  void Crash(const std::string& reason) override { (void)End(reason); }

  void AddNotice(ExitNotice* notice) {
    MutexLock lock(&mu_);
    notices_.insert(notice);
    if (told_) notice->Tell(end_reason_);
  }

  void RemoveNotice(ExitNotice* notice) {
    MutexLock lock(&mu_);
    notices_.erase(notice);
  }

 private:
  absl::Status CheckRunningLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (end_reason_.empty()) return absl::OkStatus();
    return WithDetail(absl::UnavailableError(absl::StrCat("the machine of pod ", pod_id_, " has ended: ", end_reason_)),
                      {v1::ERROR_REASON_VM_EXITED, {}});
  }

  const std::string pod_id_;
  const v1::HypervisorConfig config_;
  const std::string run_dir_;
  const std::weak_ptr<Registry> registry_;  // It holds this.
  const std::shared_ptr<MockControl> control_;
  Mutex ending_mu_;  // Before mu_.
  mutable Mutex mu_;
  state::v1::VirtualMachine record_ ABSL_GUARDED_BY(mu_);
  std::string end_reason_ ABSL_GUARDED_BY(mu_);  // Empty while it runs.
  bool told_ ABSL_GUARDED_BY(mu_) = false;       // The end, to those who asked for it.
  std::set<ExitNotice*> notices_ ABSL_GUARDED_BY(mu_);
};

class MockHypervisor::Handle : public VirtualMachine {
 public:
  Handle(IoThread& io, std::shared_ptr<Machine> machine) : machine_(std::move(machine)), notice_(io) {
    machine_->AddNotice(&notice_);
  }
  ~Handle() override { machine_->RemoveNotice(&notice_); }

  state::v1::VirtualMachine Record() const override { return machine_->record(); }

  absl::StatusOr<UniqueFd> ConnectAgent(const CallContext&) override {
    return absl::UnimplementedError("a mock machine has no guest to talk to; use the agent `mock` or `noop` with it");
  }

  absl::Status Pause(const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter(MockOperation::kPause, context));
    VCD_RETURN_IF_ERROR(machine_->CheckRunning());
    machine_->control().SetPaused(machine_->pod_id(), true);
    return absl::OkStatus();
  }

  absl::Status Resume(const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter(MockOperation::kResume, context));
    VCD_RETURN_IF_ERROR(machine_->CheckRunning());
    machine_->control().SetPaused(machine_->pod_id(), false);
    return absl::OkStatus();
  }

  absl::StatusOr<DiskAddress> AttachDisk(const DiskSpec& disk, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter(MockOperation::kAttachDisk, context));
    DiskAddress address;
    VCD_RETURN_IF_ERROR(machine_->Change([&](state::v1::VirtualMachine* record) -> absl::Status {
      VCD_ASSIGN_OR_RETURN(address, NoteDisk(disk, record));
      return absl::OkStatus();
    }));
    return address;
  }

  absl::Status DetachDisk(const std::string& id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter(MockOperation::kDetachDisk, context));
    return machine_->Change([&](state::v1::VirtualMachine* record) {
      ForgetDisk(id, record);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<VmSize> Resize(const VmSize& size, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(context.Check("resize the machine"));
    VmSize now;
    VCD_RETURN_IF_ERROR(machine_->Change([&](state::v1::VirtualMachine* record) -> absl::Status {
      VCD_ASSIGN_OR_RETURN(now, NoteSize(size, machine_->config(), record));
      return absl::OkStatus();
    }));
    return now;
  }

  absl::StatusOr<SharedPath> ShareDirectory(const ShareSpec& share, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter(MockOperation::kShareDirectory, context));
    SharedPath path;
    const absl::Status changed = machine_->Change([&](state::v1::VirtualMachine* record) -> absl::Status {
      VCD_ASSIGN_OR_RETURN(path, NoteDirectory(share, record));
      return absl::OkStatus();
    });
    VCD_RETURN_IF_ERROR(changed);
    return path;
  }

  absl::Status UnshareDirectory(const std::string& tag, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter(MockOperation::kUnshareDirectory, context));
    return machine_->Change([&](state::v1::VirtualMachine* record) {
      ForgetDirectory(tag, record);
      return absl::OkStatus();
    });
  }

  // Its other end is nobody's: what the network sends there is lost.
  absl::Status AttachNic(NicSpec nic, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("attach network interface ", nic.id)));
    return machine_->Change([&](state::v1::VirtualMachine* record) { return NotePciDevice(NicRecord(nic), record); });
  }

  absl::Status DetachNic(const std::string& id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("detach network interface ", id)));
    return machine_->Change([&](state::v1::VirtualMachine* record) {
      ForgetPciDevice(id, record);
      return absl::OkStatus();
    });
  }

  absl::Status Stop(StopMode mode, const CallContext& context) override {
    if (machine_->CheckRunning().ok()) {
      VCD_RETURN_IF_ERROR(
          machine_->control().EnterStop(machine_->pod_id(), /*force=*/mode == StopMode::kForce, context));
    }
    return machine_->End("stopped");
  }

  void OnExit(std::function<void(const std::string& reason)> callback) override { notice_.OnExit(std::move(callback)); }

  std::string ConsoleTail() const override { return ""; }

 private:
  absl::Status Enter(MockOperation operation, const CallContext& context) {
    return machine_->control().Enter(machine_->pod_id(), operation, context,
                                     [machine = machine_] { return machine->CheckRunning(); });
  }

  const std::shared_ptr<Machine> machine_;
  ExitNotice notice_;
};

MockHypervisor::MockHypervisor(IoThread& io, std::shared_ptr<MockControl> control)
    : io_(io),
      control_(control != nullptr ? std::move(control) : std::make_shared<MockControl>(io)),
      registry_(std::make_shared<Registry>()) {}

MockHypervisor::~MockHypervisor() = default;

HypervisorCapabilities MockHypervisor::capabilities() const {
  HypervisorCapabilities capabilities;
  capabilities.simulated_guest = true;
  capabilities.disk_hotplug = true;
  capabilities.directory_sharing = true;
  capabilities.pause = true;
  capabilities.resize = true;
  capabilities.nic_hotplug = true;
  return capabilities;
}

absl::StatusOr<v1::HypervisorConfig> MockHypervisor::Resolve(const v1::HypervisorConfig& config,
                                                             const CallContext&) const {
  v1::HypervisorConfig resolved = config;
  if (resolved.machine_type().empty()) resolved.set_machine_type("mock");
  if (resolved.accelerator().empty()) resolved.set_accelerator("mock");
  if (resolved.default_vcpus() == 0) resolved.set_default_vcpus(1);
  if (resolved.default_memory_mib() == 0) resolved.set_default_memory_mib(128);
  VCD_RETURN_IF_ERROR(CheckMachineSize(resolved));
  return resolved;
}

absl::Status MockHypervisor::CheckAnnotations(const std::map<std::string, std::string>& annotations) const {
  return ParseMockAnnotations(annotations).status();
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> MockHypervisor::Boot(const VmSpec& spec, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(MockBehavior annotated, ParseMockAnnotations(spec.annotations));
  control_->Annotate(spec.pod_id, std::move(annotated));
  absl::StatusOr<std::shared_ptr<Machine>> machine = BootAnnotated(spec, context);
  if (!machine.ok()) {
    control_->ForgetUnlessRunning(spec.pod_id);
    return machine.status();
  }
  return std::make_unique<Handle>(io_, *std::move(machine));
}

absl::StatusOr<std::shared_ptr<MockHypervisor::Machine>> MockHypervisor::BootAnnotated(const VmSpec& spec,
                                                                                       const CallContext& context) {
  VCD_RETURN_IF_ERROR(control_->Enter(spec.pod_id, MockOperation::kBoot, context));
  VCD_ASSIGN_OR_RETURN(state::v1::VirtualMachine record, NewRecord());
  record.set_machine_type(spec.config.machine_type());
  record.set_vcpus(spec.config.default_vcpus());
  record.set_memory_mib(spec.config.default_memory_mib());
  VCD_RETURN_IF_ERROR(Annotate(WriteMarker(spec.run_dir, record), absl::StrCat("boot of pod ", spec.pod_id)));
  auto machine = std::make_shared<Machine>(spec, std::move(record), registry_, control_);
  machine->Register();
  return machine;
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> MockHypervisor::Adopt(const VmSpec& spec,
                                                                      const state::v1::VirtualMachine& record,
                                                                      const CallContext& context) {
  // What was good when the pod was created is not to keep it from being adopted by another version.
  control_->Annotate(spec.pod_id, ParseMockAnnotations(spec.annotations).value_or(MockBehavior()));
  absl::StatusOr<std::shared_ptr<Machine>> machine = AdoptAnnotated(spec, record, context);
  if (!machine.ok()) {
    control_->ForgetUnlessRunning(spec.pod_id);
    return machine.status();
  }
  return std::make_unique<Handle>(io_, *std::move(machine));
}

absl::StatusOr<std::shared_ptr<MockHypervisor::Machine>> MockHypervisor::AdoptAnnotated(
    const VmSpec& spec, const state::v1::VirtualMachine& record, const CallContext& context) {
  VCD_RETURN_IF_ERROR(control_->Enter(spec.pod_id, MockOperation::kAdopt, context));
  std::shared_ptr<Machine> machine = registry_->Find(spec.run_dir);
  if (machine != nullptr && MockMachineIdentity(machine->record()) == MockMachineIdentity(record)) return machine;
  VCD_ASSIGN_OR_RETURN(const std::string boot_id, ReadBootId());
  if (record.process().boot_id() != boot_id ||
      ReadLogTail(MockMachineFile(spec.run_dir), 200) != MockMachineIdentity(record)) {
    return absl::NotFoundError(absl::StrCat("adopt the machine of pod ", spec.pod_id, ": it has ended"));
  }
  machine = std::make_shared<Machine>(spec, record, registry_, control_);
  machine->Register();
  return machine;
}

absl::Status MockHypervisor::Reap(const std::string& run_dir, const CallContext& context) {
  if (const std::shared_ptr<Machine> machine = registry_->Find(run_dir)) {
    VCD_RETURN_IF_ERROR(control_->EnterStop(machine->pod_id(), /*force=*/true, context));
    VCD_RETURN_IF_ERROR(machine->End("reaped"));
  }
  return RemoveMockFiles(run_dir);
}

}  // namespace vcd
