// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/testing/fake_hypervisor.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/hypervisor/exit_notice.h"
#include "core/hypervisor/machine_record.h"
#include "core/hypervisor/machine_size.h"
#include "core/hypervisor/testing/fake_image.h"
#include "core/os/mutex.h"
#include "core/os/posix_filesystem.h"
#include "core/os/process.h"
#include "core/os/testing/call_script.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

struct FakeHypervisor::Machine {
  VmSpec spec;
  state::v1::VirtualMachine record;
  bool running = true;
  bool paused = false;
  bool saved = false;  // And has not gone on since.
  std::string end_reason;
  std::set<ExitNotice*> notices;
};

// All that survives a handle. Locks: mu_ is a leaf; ExitNotice::Tell under it only posts.
class FakeHypervisor::World {
 public:
  explicit World(IoThread& io) : io_(io) {}

  IoThread& io() { return io_; }

  CallScript& script() { return script_; }
  // Records the call and plays its fault, if it has one.
  absl::Status Enter(const std::string& step, const std::string& what, const CallContext& context) {
    return script_.Enter(step, what, context);
  }

  absl::StatusOr<std::shared_ptr<Machine>> Start(const VmSpec& spec, const std::vector<state::v1::PciDevice>& nics) {
    MutexLock lock(&mu_);
    std::shared_ptr<Machine>& machine = machines_[spec.pod_id];
    if (machine != nullptr && machine->running) {
      return absl::AlreadyExistsError(absl::StrCat("pod ", spec.pod_id, " has a running machine"));
    }
    machine = std::make_shared<Machine>();
    machine->spec = spec;
    machine->paused = spec.paused;
    machine->record.mutable_process()->set_pid(next_pid_++);
    machine->record.mutable_process()->set_start_time_ticks(1);
    machine->record.mutable_process()->set_boot_id(ReadBootId().value_or("fake-boot"));
    machine->record.set_accelerator("fake");
    machine->record.set_machine_type(spec.config.machine_type());
    machine->record.set_vcpus(spec.config.default_vcpus());
    machine->record.set_memory_mib(spec.config.default_memory_mib());
    *machine->record.mutable_block_devices() = {spec.image_disks.begin(), spec.image_disks.end()};
    *machine->record.mutable_pci_devices() = {nics.begin(), nics.end()};
    return machine;
  }

  void Give(const std::shared_ptr<Machine>& machine, const std::string& pod_id) {
    MutexLock lock(&mu_);
    machines_.erase(machine->spec.pod_id);
    machine->spec.pod_id = pod_id;
    machines_[pod_id] = machine;
  }

  // With the devices of the record, and no others.
  absl::StatusOr<std::shared_ptr<Machine>> Adopt(const std::string& pod_id, const state::v1::VirtualMachine& record) {
    MutexLock lock(&mu_);
    auto found = machines_.find(pod_id);
    if (found == machines_.end() || !found->second->running ||
        found->second->record.process().pid() != record.process().pid()) {
      return absl::NotFoundError(absl::StrCat("the machine of pod ", pod_id, " has ended"));
    }
    *found->second->record.mutable_block_devices() = record.block_devices();
    *found->second->record.mutable_shared_directories() = record.shared_directories();
    *found->second->record.mutable_pci_devices() = record.pci_devices();
    return found->second;
  }

  void End(Machine& machine, const std::string& reason) {
    MutexLock lock(&mu_);
    EndLocked(machine, reason);
  }

  bool EndPod(const std::string& pod_id, const std::string& reason) {
    MutexLock lock(&mu_);
    auto found = machines_.find(pod_id);
    if (found == machines_.end() || !found->second->running) return false;
    EndLocked(*found->second, reason);
    return true;
  }

  void EndRunDir(const std::string& run_dir) {
    MutexLock lock(&mu_);
    for (const auto& [pod_id, machine] : machines_) {
      if (machine->spec.run_dir == run_dir && machine->running) EndLocked(*machine, "reaped");
    }
  }

  void AddNotice(Machine& machine, ExitNotice* notice) {
    MutexLock lock(&mu_);
    machine.notices.insert(notice);
    if (!machine.running) notice->Tell(machine.end_reason);
  }

  void RemoveNotice(Machine& machine, ExitNotice* notice) {
    MutexLock lock(&mu_);
    machine.notices.erase(notice);
  }

  // Runs `change` on a machine that runs, under the lock.
  absl::Status Change(Machine& machine, const std::function<absl::Status(Machine&)>& change) {
    MutexLock lock(&mu_);
    if (!machine.running) {
      return WithDetail(absl::UnavailableError(absl::StrCat("the machine of pod ", machine.spec.pod_id,
                                                            " has ended: ", machine.end_reason)),
                        {v1::ERROR_REASON_VM_EXITED, {}});
    }
    return change(machine);
  }

  state::v1::VirtualMachine RecordOf(const Machine& machine) const {
    MutexLock lock(&mu_);
    return machine.record;
  }

  // Copies what a test looks at; a default machine when none runs.
  Machine Look(const std::string& pod_id) const {
    MutexLock lock(&mu_);
    auto found = machines_.find(pod_id);
    if (found == machines_.end() || !found->second->running) return Machine();
    return *found->second;
  }

  std::vector<std::string> live_machines() const {
    MutexLock lock(&mu_);
    std::vector<std::string> live;
    for (const auto& [pod_id, machine] : machines_) {
      if (machine->running) live.push_back(pod_id);
    }
    return live;
  }

  void set_console_tail(const std::string& text) {
    MutexLock lock(&mu_);
    console_tail_ = text;
  }
  void SetTroubleCallback(const std::string& pod_id, std::function<void(const VmTrouble& trouble)> callback) {
    MutexLock lock(&mu_);
    on_trouble_[pod_id] = std::move(callback);
  }
  // Tells it on the I/O thread.
  void Tell(const std::string& pod_id, const VmTrouble& trouble) {
    MutexLock lock(&mu_);
    const auto found = on_trouble_.find(pod_id);
    if (found == on_trouble_.end() || found->second == nullptr) return;
    io_.Post([callback = found->second, trouble] { callback(trouble); });
  }
  std::string console_tail() const {
    MutexLock lock(&mu_);
    return console_tail_;
  }
  void set_capabilities(const HypervisorCapabilities& capabilities) {
    MutexLock lock(&mu_);
    capabilities_ = capabilities;
  }
  HypervisorCapabilities capabilities() const {
    MutexLock lock(&mu_);
    return capabilities_;
  }
  void set_agent_peer(const std::string& pod_id, UniqueFd peer) {
    MutexLock lock(&mu_);
    agent_peers_[pod_id] = std::move(peer);
  }
  UniqueFd TakeAgentPeer(const std::string& pod_id) {
    MutexLock lock(&mu_);
    auto found = agent_peers_.find(pod_id);
    return found == agent_peers_.end() ? UniqueFd() : std::move(found->second);
  }

 private:
  void EndLocked(Machine& machine, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!machine.running) return;
    machine.running = false;
    machine.end_reason = reason;
    agent_peers_.erase(machine.spec.pod_id);
    for (ExitNotice* notice : machine.notices) notice->Tell(reason);
  }

  IoThread& io_;
  CallScript script_;
  mutable Mutex mu_;
  std::map<std::string, std::shared_ptr<Machine>> machines_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, UniqueFd> agent_peers_ ABSL_GUARDED_BY(mu_);
  std::string console_tail_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::function<void(const VmTrouble& trouble)>> on_trouble_ ABSL_GUARDED_BY(mu_);
  HypervisorCapabilities capabilities_ ABSL_GUARDED_BY(mu_) = {.agent_channel = true,
                                                               .disk_hotplug = true,
                                                               .directory_sharing = true,
                                                               .pause = true,
                                                               .resize = true,
                                                               .nic_hotplug = true,
                                                               .images = true};
  int next_pid_ ABSL_GUARDED_BY(mu_) = 1000001;  // Above what the tests' hosts give to real processes.
};

class FakeHypervisor::Handle : public VirtualMachine {
 public:
  Handle(std::shared_ptr<World> world, std::shared_ptr<Machine> machine)
      : world_(std::move(world)), machine_(std::move(machine)), pod_id_(machine_->spec.pod_id), notice_(world_->io()) {
    world_->AddNotice(*machine_, &notice_);
  }
  ~Handle() override { world_->RemoveNotice(*machine_, &notice_); }

  void GiveTo(const std::string& pod_id) override {
    pod_id_ = pod_id;
    world_->Give(machine_, pod_id);
  }

  state::v1::VirtualMachine Record() const override { return world_->RecordOf(*machine_); }

  absl::StatusOr<UniqueFd> ConnectAgent(const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("ConnectAgent", pod_id_, context));
    VCD_RETURN_IF_ERROR(world_->Change(*machine_, [](Machine&) { return absl::OkStatus(); }));
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return PosixError(errno, "socketpair");
    world_->set_agent_peer(pod_id_, UniqueFd(ends[1]));
    return UniqueFd(ends[0]);
  }

  absl::Status Pause(const CallContext& context) override { return SetPaused("Pause", true, context); }
  absl::Status Resume(const CallContext& context) override { return SetPaused("Resume", false, context); }

  absl::StatusOr<DiskAddress> AttachDisk(const DiskSpec& disk, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("AttachDisk", absl::StrCat(pod_id_, " ", disk.id), context));
    DiskAddress address;
    VCD_RETURN_IF_ERROR(world_->Change(*machine_, [&](Machine& machine) -> absl::Status {
      VCD_ASSIGN_OR_RETURN(address, NoteDisk(disk, &machine.record));
      return absl::OkStatus();
    }));
    return address;
  }

  absl::Status DetachDisk(const std::string& id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("DetachDisk", absl::StrCat(pod_id_, " ", id), context));
    return world_->Change(*machine_, [&](Machine& machine) {
      ForgetDisk(id, &machine.record);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<VmSize> Resize(const VmSize& size, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("Resize", absl::StrCat(pod_id_, " ", size.vcpus, " ", size.memory_mib), context));
    VmSize now;
    VCD_RETURN_IF_ERROR(world_->Change(*machine_, [&](Machine& machine) -> absl::Status {
      VCD_ASSIGN_OR_RETURN(now, NoteSize(size, machine.spec.config, &machine.record));
      return absl::OkStatus();
    }));
    return now;
  }

  absl::StatusOr<SharedPath> ShareDirectory(const ShareSpec& share, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("ShareDirectory", absl::StrCat(pod_id_, " ", share.tag), context));
    SharedPath path;
    const absl::Status changed = world_->Change(*machine_, [&](Machine& machine) -> absl::Status {
      VCD_ASSIGN_OR_RETURN(path, NoteDirectory(share, &machine.record));
      return absl::OkStatus();
    });
    VCD_RETURN_IF_ERROR(changed);
    return path;
  }

  absl::Status UnshareDirectory(const std::string& tag, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("UnshareDirectory", absl::StrCat(pod_id_, " ", tag), context));
    return world_->Change(*machine_, [&](Machine& machine) {
      ForgetDirectory(tag, &machine.record);
      return absl::OkStatus();
    });
  }

  absl::Status AttachHostDevice(const std::string& id, const std::string& pci_address,
                                const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("AttachHostDevice", absl::StrCat(pod_id_, " ", id, " ", pci_address), context));
    state::v1::PciDevice device;
    device.set_id(id);
    device.set_kind("vfio");
    device.set_host_address(pci_address);
    return world_->Change(*machine_, [&](Machine& machine) { return NotePciDevice(device, &machine.record); });
  }

  absl::Status DetachHostDevice(const std::string& id, const CallContext& context) override {
    return ForgetDevice("DetachHostDevice", id, context);
  }

  absl::Status AttachNic(NicSpec nic, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("AttachNic", absl::StrCat(pod_id_, " ", nic.id), context));
    return world_->Change(*machine_, [&](Machine& machine) { return NotePciDevice(NicRecord(nic), &machine.record); });
  }

  absl::Status DetachNic(const std::string& id, const CallContext& context) override {
    return ForgetDevice("DetachNic", id, context);
  }

  absl::Status SaveImage(const std::string& directory, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(world_->Enter("SaveImage", pod_id_, context));
    std::string text;
    VCD_RETURN_IF_ERROR(world_->Change(*machine_, [&text](Machine& machine) {
      const state::v1::VirtualMachine& record = machine.record;
      const auto is_of_host = [](const state::v1::PciDevice& device) { return device.kind() != "nic"; };
      if (!record.shared_directories().empty() ||
          std::any_of(record.pci_devices().begin(), record.pci_devices().end(), is_of_host)) {
        return absl::FailedPreconditionError("it has what is of this host");
      }
      if (machine.saved) return absl::FailedPreconditionError("it has stood still since it was last saved");
      machine.paused = true;
      machine.saved = true;
      text = FakeImageText(machine.spec, record);
      return absl::OkStatus();
    }));
    PosixFilesystem filesystem;
    return filesystem.ReplaceFile(FakeImagePath(directory), text);
  }

  absl::Status Stop(StopMode mode, const CallContext& context) override {
    const std::string how = mode == StopMode::kForce ? " force" : " orderly";
    const absl::Status fault = world_->Enter("Stop", absl::StrCat(pod_id_, how), context);
    if (!fault.ok() && context.Check("Stop").ok()) return fault;
    world_->End(*machine_, "stopped");
    return absl::OkStatus();
  }

  void OnExit(std::function<void(const std::string& reason)> callback) override { notice_.OnExit(std::move(callback)); }

  void OnTrouble(std::function<void(const VmTrouble& trouble)> callback) override {
    world_->SetTroubleCallback(pod_id_, std::move(callback));
  }

  std::string ConsoleTail() const override { return world_->console_tail(); }

 private:
  absl::Status ForgetDevice(const std::string& step, const std::string& id, const CallContext& context) {
    VCD_RETURN_IF_ERROR(world_->Enter(step, absl::StrCat(pod_id_, " ", id), context));
    return world_->Change(*machine_, [&](Machine& machine) {
      ForgetPciDevice(id, &machine.record);
      return absl::OkStatus();
    });
  }

  absl::Status SetPaused(const std::string& step, bool paused, const CallContext& context) {
    VCD_RETURN_IF_ERROR(world_->Enter(step, pod_id_, context));
    return world_->Change(*machine_, [paused](Machine& machine) {
      machine.paused = paused;
      if (!paused) machine.saved = false;
      return absl::OkStatus();
    });
  }

  const std::shared_ptr<World> world_;
  const std::shared_ptr<Machine> machine_;
  std::string pod_id_;
  ExitNotice notice_;
};

FakeHypervisor::FakeHypervisor(IoThread& io) : world_(std::make_shared<World>(io)) {}
FakeHypervisor::~FakeHypervisor() = default;

void FakeHypervisor::FailNth(const std::string& step, int n, absl::Status error) {
  world_->script().FailNth(step, n, std::move(error));
}
void FakeHypervisor::HangNth(const std::string& step, int n) { world_->script().HangNth(step, n); }
void FakeHypervisor::ForgetFaults() { world_->script().ForgetFaults(); }
bool FakeHypervisor::WaitUntilHanging(const std::string& step) { return world_->script().WaitUntilHanging(step); }

std::vector<std::string> FakeHypervisor::calls() const { return world_->script().calls(); }
std::vector<std::string> FakeHypervisor::live_machines() const { return world_->live_machines(); }

std::vector<std::string> FakeHypervisor::disks(const std::string& pod_id) const {
  std::set<std::string> ids;
  const state::v1::VirtualMachine record = world_->Look(pod_id).record;
  for (const auto& device : record.block_devices()) ids.insert(device.id());
  return {ids.begin(), ids.end()};
}

std::vector<std::string> FakeHypervisor::directories(const std::string& pod_id) const {
  std::set<std::string> tags;
  const state::v1::VirtualMachine record = world_->Look(pod_id).record;
  for (const auto& shared : record.shared_directories()) tags.insert(shared.tag());
  return {tags.begin(), tags.end()};
}

std::vector<std::string> FakeHypervisor::host_devices(const std::string& pod_id) const {
  std::set<std::string> addresses;
  const state::v1::VirtualMachine record = world_->Look(pod_id).record;
  for (const auto& device : record.pci_devices()) {
    if (device.kind() == "vfio") addresses.insert(device.host_address());
  }
  return {addresses.begin(), addresses.end()};
}

std::vector<std::string> FakeHypervisor::nics(const std::string& pod_id) const {
  std::set<std::string> macs;
  const state::v1::VirtualMachine record = world_->Look(pod_id).record;
  for (const auto& device : record.pci_devices()) {
    if (device.kind() == "nic") macs.insert(device.mac());
  }
  return {macs.begin(), macs.end()};
}

std::string FakeHypervisor::netns_path(const std::string& pod_id) const { return world_->Look(pod_id).spec.netns_path; }

bool FakeHypervisor::paused(const std::string& pod_id) const { return world_->Look(pod_id).paused; }
bool FakeHypervisor::Crash(const std::string& pod_id, const std::string& reason) {
  return world_->EndPod(pod_id, reason);
}
void FakeHypervisor::Trouble(const std::string& pod_id, const VmTrouble& trouble) { world_->Tell(pod_id, trouble); }
void FakeHypervisor::set_console_tail(const std::string& text) { world_->set_console_tail(text); }
void FakeHypervisor::set_capabilities(const HypervisorCapabilities& capabilities) {
  world_->set_capabilities(capabilities);
}
UniqueFd FakeHypervisor::TakeAgentPeer(const std::string& pod_id) { return world_->TakeAgentPeer(pod_id); }

HypervisorCapabilities FakeHypervisor::capabilities() const { return world_->capabilities(); }

absl::StatusOr<v1::HypervisorConfig> FakeHypervisor::Resolve(const v1::HypervisorConfig& config,
                                                             const CallContext& context) const {
  VCD_RETURN_IF_ERROR(world_->Enter("Resolve", "config", context));
  v1::HypervisorConfig resolved = config;
  if (resolved.kernel_path().empty()) resolved.set_kernel_path("/fake/vmlinux");
  if (resolved.initrd_path().empty()) resolved.set_initrd_path("/fake/initramfs.cpio");
  if (resolved.machine_type().empty()) resolved.set_machine_type("q35");
  if (resolved.accelerator().empty()) resolved.set_accelerator("tcg");
  if (resolved.default_vcpus() == 0) resolved.set_default_vcpus(1);
  if (resolved.default_memory_mib() == 0) resolved.set_default_memory_mib(128);
  VCD_RETURN_IF_ERROR(CheckMachineSize(resolved));
  return resolved;
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> FakeHypervisor::Boot(const VmSpec& asked, const CallContext& context) {
  VmSpec spec = asked;
  std::vector<state::v1::PciDevice> nics;
  VCD_RETURN_IF_ERROR(world_->Enter("Boot", spec.pod_id, context));
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("boot of pod ", spec.pod_id)));
  if (!spec.image_dir.empty()) {
    VCD_ASSIGN_OR_RETURN(FakeImage image, ReadFakeImage(spec));
    if (!spec.image_shared) spec.shared_memory = image.shared_memory;
    nics = std::move(image.nics);
  }
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<Machine> machine, world_->Start(spec, nics));
  return std::make_unique<Handle>(world_, std::move(machine));
}

absl::StatusOr<std::unique_ptr<VirtualMachine>> FakeHypervisor::Adopt(const VmSpec& spec,
                                                                      const state::v1::VirtualMachine& record,
                                                                      const CallContext& context) {
  VCD_RETURN_IF_ERROR(world_->Enter("Adopt", spec.pod_id, context));
  VCD_ASSIGN_OR_RETURN(std::shared_ptr<Machine> machine, world_->Adopt(spec.pod_id, record));
  return std::make_unique<Handle>(world_, std::move(machine));
}

absl::Status FakeHypervisor::CheckImage(const VmSpec& spec, const CallContext&) const {
  const absl::StatusOr<std::string> image = PosixFilesystem().ReadFile(FakeImagePath(spec.image_dir));
  return image.ok() ? absl::OkStatus() : absl::DataLossError(image.status().message());
}

absl::StatusOr<std::string> FakeHypervisor::ImageKey(const VmSpec& spec, const CallContext&) const {
  return FakeImageKey(spec);
}

absl::Status FakeHypervisor::Reap(const std::string& run_dir, const CallContext& context) {
  const absl::Status fault = world_->Enter("Reap", run_dir, context);
  if (!fault.ok() && context.Check("Reap").ok()) return fault;
  world_->EndRunDir(run_dir);
  return absl::OkStatus();
}

}  // namespace vcd
