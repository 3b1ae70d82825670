// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/mock/mock_hypervisor.h"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/hypervisor/exit_notice.h"
#include "core/hypervisor/machine_record.h"
#include "core/hypervisor/machine_size.h"
#include "core/os/completion.h"
#include "core/os/mutex.h"
#include "core/os/process.h"
#include "core/os/run_file.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

std::string MarkerPath(const std::string& run_dir) { return absl::StrCat(run_dir, "/mock-machine"); }

// What the marker of a machine says: its birth, and the boot of the host, so that no other is taken for it.
std::string MarkerText(const state::v1::VirtualMachine& record) {
  return absl::StrCat(record.process().start_time_ticks(), " ", record.process().boot_id());
}

absl::Status WriteMarker(const std::string& run_dir, const state::v1::VirtualMachine& record) {
  const std::string path = MarkerPath(run_dir);
  const std::string text = MarkerText(record);
  VCD_RETURN_IF_ERROR(RemoveFile(path));
  VCD_ASSIGN_OR_RETURN(const UniqueFd file, OpenLogFile(path));
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return PosixError(errno, absl::StrCat("write ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<state::v1::VirtualMachine> NewRecord() {
  state::v1::VirtualMachine record;
  uint64_t birth = 0;
  if (getrandom(&birth, sizeof(birth), 0) != sizeof(birth)) return PosixError(errno, "getrandom");
  record.mutable_process()->set_start_time_ticks(birth);
  VCD_ASSIGN_OR_RETURN(*record.mutable_process()->mutable_boot_id(), ReadBootId());
  record.set_accelerator("mock");
  return record;
}

}  // namespace

// One machine of this daemon, whichever handles it has.
class MockHypervisor::Machine {
 public:
  Machine(const VmSpec& spec, state::v1::VirtualMachine record)
      : pod_id_(spec.pod_id), run_dir_(spec.run_dir), record_(std::move(record)) {}

  const std::string& pod_id() const { return pod_id_; }
  const std::string& run_dir() const { return run_dir_; }

  state::v1::VirtualMachine record() const {
    MutexLock lock(&mu_);
    return record_;
  }

  bool running() const {
    MutexLock lock(&mu_);
    return end_reason_.empty();
  }

  absl::Status Change(const std::function<absl::Status(state::v1::VirtualMachine*)>& change) {
    MutexLock lock(&mu_);
    if (!end_reason_.empty()) {
      return WithDetail(absl::UnavailableError(absl::StrCat("the machine of pod ", pod_id_, " has ended: ", end_reason_)),
                        {v1::ERROR_REASON_VM_EXITED, {}});
    }
    return change(&record_);
  }

  absl::Status End(const std::string& reason) {
    {
      MutexLock lock(&mu_);
      if (!end_reason_.empty()) return absl::OkStatus();
      end_reason_ = reason;
      for (ExitNotice* notice : notices_) notice->Tell(reason);
    }
    return RemoveFile(MarkerPath(run_dir_));
  }

  void AddNotice(ExitNotice* notice) {
    MutexLock lock(&mu_);
    notices_.insert(notice);
    if (!end_reason_.empty()) notice->Tell(end_reason_);
  }

  void RemoveNotice(ExitNotice* notice) {
    MutexLock lock(&mu_);
    notices_.erase(notice);
  }

 private:
  const std::string pod_id_;
  const std::string run_dir_;
  mutable Mutex mu_;
  state::v1::VirtualMachine record_ ABSL_GUARDED_BY(mu_);
  std::string end_reason_ ABSL_GUARDED_BY(mu_);  // Empty while it runs.
  std::set<ExitNotice*> notices_ ABSL_GUARDED_BY(mu_);
};

// The machines that run, by run directory.
class MockHypervisor::Registry {
 public:
  void Add(const std::shared_ptr<Machine>& machine) {
    MutexLock lock(&mu_);
    machines_[machine->run_dir()] = machine;
  }

  void Remove(const Machine& machine) {
    MutexLock lock(&mu_);
    auto found = machines_.find(machine.run_dir());
    if (found != machines_.end() && found->second.get() == &machine) machines_.erase(found);
  }

  std::shared_ptr<Machine> FindByRunDir(const std::string& run_dir) const {
    MutexLock lock(&mu_);
    auto found = machines_.find(run_dir);
    return found == machines_.end() ? nullptr : found->second;
  }

  std::shared_ptr<Machine> FindByPod(const std::string& pod_id) const {
    MutexLock lock(&mu_);
    for (const auto& [run_dir, machine] : machines_) {
      if (machine->pod_id() == pod_id) return machine;
    }
    return nullptr;
  }

 private:
  mutable Mutex mu_;
  std::map<std::string, std::shared_ptr<Machine>> machines_ ABSL_GUARDED_BY(mu_);
};

class MockHypervisor::Handle : public VirtualMachine {
 public:
  Handle(IoThread& io, std::shared_ptr<Registry> registry, std::shared_ptr<Machine> machine)
      : registry_(std::move(registry)), machine_(std::move(machine)), notice_(io) {
    machine_->AddNotice(&notice_);
  }
  ~Handle() override { machine_->RemoveNotice(&notice_); }

  state::v1::VirtualMachine Record() const override { return machine_->record(); }

  absl::StatusOr<UniqueFd> ConnectAgent(const CallContext&) override {
    return absl::UnimplementedError("a mock machine has no guest to talk to; use the agent `noop` with it");
  }

  absl::Status Pause(const CallContext& context) override { return Nothing("pause", context); }
  absl::Status Resume(const CallContext& context) override { return Nothing("resume", context); }

  absl::StatusOr<ScsiAddress> AttachDisk(const DiskSpec& disk, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("attach disk ", disk.id)));
    ScsiAddress address;
    VCD_RETURN_IF_ERROR(machine_->Change([&](state::v1::VirtualMachine* record) -> absl::Status {
      VCD_ASSIGN_OR_RETURN(address, NoteDisk(disk, record));
      return absl::OkStatus();
    }));
    return address;
  }

  absl::Status DetachDisk(const std::string& id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("detach disk ", id)));
    return machine_->Change([&](state::v1::VirtualMachine* record) {
      ForgetDisk(id, record);
      return absl::OkStatus();
    });
  }

  absl::Status ShareDirectory(const std::string& tag, const std::string& host_path,
                              const CallContext& context) override {
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("share ", host_path)));
    return machine_->Change(
        [&](state::v1::VirtualMachine* record) { return NoteDirectory(tag, host_path, record); });
  }

  absl::Status UnshareDirectory(const std::string& tag, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("unshare ", tag)));
    return machine_->Change([&](state::v1::VirtualMachine* record) {
      ForgetDirectory(tag, record);
      return absl::OkStatus();
    });
  }

  absl::Status Stop(StopMode, const CallContext&) override {
    registry_->Remove(*machine_);
    return machine_->End("stopped");
  }

  void OnExit(std::function<void(const std::string& reason)> callback) override { notice_.OnExit(std::move(callback)); }

  std::string ConsoleTail() const override { return ""; }

 private:
  absl::Status Nothing(const char* step, const CallContext& context) {
    VCD_RETURN_IF_ERROR(context.Check(step));
    return machine_->Change([](state::v1::VirtualMachine*) { return absl::OkStatus(); });
  }

  const std::shared_ptr<Registry> registry_;
  const std::shared_ptr<Machine> machine_;
  ExitNotice notice_;
};

MockHypervisor::MockHypervisor(IoThread& io, MockOptions options)
    : io_(io), options_(std::move(options)), registry_(std::make_shared<Registry>()) {}

MockHypervisor::~MockHypervisor() = default;

bool MockHypervisor::Crash(const std::string& pod_id) {
  const std::shared_ptr<Machine> machine = registry_->FindByPod(pod_id);
  if (machine == nullptr || !machine->running()) return false;
  registry_->Remove(*machine);
  return machine->End("the mock machine crashed").ok();
}

HypervisorCapabilities MockHypervisor::capabilities() const {
  HypervisorCapabilities capabilities;
  capabilities.disk_hotplug = true;
  capabilities.directory_sharing = true;
  capabilities.pause = true;
  return capabilities;
}

absl::StatusOr<v1::HypervisorConfig> MockHypervisor::Resolve(const v1::HypervisorConfig& config) const {
  v1::HypervisorConfig resolved = config;
  if (resolved.machine_type().empty()) resolved.set_machine_type("mock");
  if (resolved.accelerator().empty()) resolved.set_accelerator("mock");
  if (resolved.default_vcpus() == 0) resolved.set_default_vcpus(1);
  if (resolved.default_memory_mib() == 0) resolved.set_default_memory_mib(128);
  VCD_RETURN_IF_ERROR(CheckMachineSize(resolved));
  return resolved;
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> MockHypervisor::Boot(const VmSpec& spec, const CallContext& context) {
  const std::string step = absl::StrCat("boot of pod ", spec.pod_id);
  VCD_RETURN_IF_ERROR(context.Check(step));
  if (options_.boot_delay > absl::ZeroDuration()) {
    // Nobody completes it: it only waits for the delay or for the context's end.
    Completion<bool>().Wait(context.Within(options_.boot_delay), step).IgnoreError();
    VCD_RETURN_IF_ERROR(context.Check(step));
  }
  VCD_RETURN_IF_ERROR(Annotate(options_.boot_error, step));
  VCD_ASSIGN_OR_RETURN(state::v1::VirtualMachine record, NewRecord());
  VCD_RETURN_IF_ERROR(Annotate(WriteMarker(spec.run_dir, record), step));
  auto machine = std::make_shared<Machine>(spec, std::move(record));
  registry_->Add(machine);
  return std::make_unique<Handle>(io_, registry_, std::move(machine));
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> MockHypervisor::Adopt(const VmSpec& spec,
                                                                      const state::v1::VirtualMachine& record,
                                                                      const CallContext& context) {
  const std::string step = absl::StrCat("adopt the machine of pod ", spec.pod_id);
  VCD_RETURN_IF_ERROR(context.Check(step));
  std::shared_ptr<Machine> machine = registry_->FindByRunDir(spec.run_dir);
  if (machine != nullptr && MarkerText(machine->record()) != MarkerText(record)) machine = nullptr;
  if (machine == nullptr) {
    VCD_ASSIGN_OR_RETURN(const std::string boot_id, ReadBootId());
    if (record.process().boot_id() != boot_id ||
        ReadLogTail(MarkerPath(spec.run_dir), 200) != MarkerText(record)) {
      return absl::NotFoundError(absl::StrCat(step, ": it has ended"));
    }
    machine = std::make_shared<Machine>(spec, record);
    registry_->Add(machine);
  }
  return std::make_unique<Handle>(io_, registry_, std::move(machine));
}

absl::Status MockHypervisor::Reap(const std::string& run_dir, const CallContext&) {
  const std::shared_ptr<Machine> machine = registry_->FindByRunDir(run_dir);
  if (machine != nullptr) {
    registry_->Remove(*machine);
    VCD_RETURN_IF_ERROR(machine->End("reaped"));
  }
  return RemoveFile(MarkerPath(run_dir));
}

}  // namespace vcd
