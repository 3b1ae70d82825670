// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_machine.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/qemu_migration.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "backends/hypervisor/qemu/run_files.h"
#include "core/device/pci_bus.h"
#include "core/hypervisor/console_log.h"
#include "core/hypervisor/process_record.h"
#include "core/log/logger.h"
#include "core/netlink/tap_device.h"
#include "core/netns/network_namespace.h"
#include "core/os/run_file.h"
#include "core/os/unix_socket.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kConsoleTailBytes = 1024;
constexpr size_t kLastWordsBytes = 500;
// A panic's line is followed by where the kernel was.
constexpr size_t kPanicBytes = 8192;
constexpr absl::Duration kQuitTime = absl::Seconds(2);
constexpr absl::Duration kTermTime = absl::Seconds(2);
constexpr absl::Duration kKillTime = absl::Seconds(10);

// QEMU's reasons (qapi/run-state.json, ShutdownCause) that say more than its exit status.
std::string InWords(const std::string& shutdown_reason) {
  if (shutdown_reason == "guest-reset") return "the guest reset itself";
  if (shutdown_reason == "guest-shutdown") return "the guest powered itself off";
  if (shutdown_reason == "guest-panic") return "the guest's kernel panicked";
  if (shutdown_reason == "host-qmp-quit") return "asked to quit";
  if (shutdown_reason == "host-signal") return "asked to end by a signal";
  return shutdown_reason;
}

// What the guest's kernel says when it panics (panic(), kernel/panic.c). Empty when it did not, as far as the console
// tells.
std::string PanicLine(const std::string& run_dir) {
  const std::string console = ConsoleEnd(run_dir, kPanicBytes);
  const size_t at = console.rfind("Kernel panic");
  if (at == std::string::npos) return "";
  return console.substr(at, std::min(console.find('\n', at) - at, kLastWordsBytes));
}

// The last lines of the console, for the end of a message.
std::string LastLines(const std::string& run_dir) {
  const std::string lines = ConsoleEnd(run_dir, kLastWordsBytes);
  return lines.empty() ? "its console is empty" : absl::StrCat("its console ends with:\n", lines);
}

}  // namespace

QemuMachine::QemuMachine(IoThread& io, Options options, std::shared_ptr<SupervisedProcess> process)
    : io_(io),
      options_(std::move(options)),
      notice_(io),
      process_(std::move(process)),
      pod_id_(options_.pod_id),
      slots_(options_.machine_type, options_.hotplug_slots) {}

QemuMachine::~QemuMachine() {
  // Whoever else holds the process, this object is called back no more.
  process_->OnExit(nullptr);
}

absl::StatusOr<std::unique_ptr<QemuMachine>> QemuMachine::Connect(IoThread& io, Options options,
                                                                  std::shared_ptr<SupervisedProcess> process,
                                                                  const CallContext& context) {
  std::unique_ptr<QemuMachine> machine(new QemuMachine(io, std::move(options), std::move(process)));
  VCD_RETURN_IF_ERROR(machine->ConnectMonitors(context));
  VCD_RETURN_IF_ERROR(machine->ConnectConsole());
  machine->Watch();
  return machine;
}

absl::Status QemuMachine::ConnectMonitors(const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(UniqueFd control, ConnectUnix(options_.run_dir, kControlSocket));
  VCD_ASSIGN_OR_RETURN(control_, QmpClient::Connect(io_, std::move(control), kControlSocket, {}, context));
  disks_ = std::make_unique<QemuDisks>(*control_, slots_, options_.disk_driver);
  pci_devices_ = std::make_unique<QemuPciDevices>(*control_, slots_);
  VCD_ASSIGN_OR_RETURN(
      size_, QemuSize::Read(*control_, {options_.machine_type, options_.memory, options_.max_memory_mib}, context));
  shares_ = std::make_unique<QemuShares>(
      io_, *control_,
      QemuShares::Options{
          {options_.virtiofsd_path, options_.run_dir, options_.machine_type, options_.first_uid, options_.confinement},
          size_->shares_memory()});
  {
    MutexLock lock(&mu_);
    monitor_closed_ = false;
  }
  QmpClient::Handlers handlers;
  handlers.on_event = [this](const QmpEvent& event) { HandleEvent(event); };
  handlers.on_closed = [this](const absl::Status&) { Ended(&QemuMachine::monitor_closed_); };
  VCD_ASSIGN_OR_RETURN(UniqueFd monitor, ConnectUnix(options_.run_dir, kMonitorSocket));
  VCD_ASSIGN_OR_RETURN(monitor_,
                       QmpClient::Connect(io_, std::move(monitor), kMonitorSocket, std::move(handlers), context));
  return absl::OkStatus();
}

absl::Status QemuMachine::ConnectConsole() {
  VCD_ASSIGN_OR_RETURN(UniqueFd console, ConnectUnix(options_.run_dir, kConsoleSocket));
  {
    MutexLock lock(&mu_);
    console_closed_ = false;
  }
  console_ = std::make_unique<QemuConsole>(io_, std::move(console), options_.run_dir, options_.max_console_bytes,
                                           [this] { Ended(&QemuMachine::console_closed_); });
  return absl::OkStatus();
}

void QemuMachine::Watch() {
  process_->OnExit([this](const std::string&) { Ended(&QemuMachine::process_ended_); });
}

void QemuMachine::HandleEvent(const QmpEvent& event) {
  if (event.name == "SHUTDOWN") {
    MutexLock lock(&mu_);
    shutdown_reason_ = StringField(event.data, "reason");
  } else if (event.name == "GUEST_PANICKED") {
    const std::string line = PanicLine(options_.run_dir);
    Trouble(VmTrouble::Kind::kGuestPanicked,
            absl::StrCat("the guest's kernel panicked", line.empty() ? "" : ": ", line));
  } else if (event.name == "BLOCK_IO_ERROR") {
    Trouble(
        VmTrouble::Kind::kDiskError,
        absl::StrCat(disks_->Describe(StringField(event.data, "node-name")), ": ", StringField(event.data, "operation"),
                     " failed on the host: ", StringField(event.data, "reason"),
                     StringField(event.data, "action") == "stop" ? "; the machine stands still" : ""));
  }
}

void QemuMachine::Trouble(VmTrouble::Kind kind, const std::string& what) {
  MutexLock lock(&trouble_mu_);
  if (on_trouble_ != nullptr) on_trouble_({kind, what});
}

void QemuMachine::Ended(bool QemuMachine::*part) {
  {
    MutexLock lock(&mu_);
    this->*part = true;
    // What was said last may still be unread in the sockets, which have an end once the process has one.
    if (!process_ended_ || !monitor_closed_ || !console_closed_) return;
  }
  const std::string reason = ExitReason();
  {
    MutexLock lock(&mu_);
    end_ = reason;
    ended_.NotifyAll();
  }
  notice_.Tell(reason);
}

std::string QemuMachine::ExitReason() {
  std::string reason = absl::StrCat("qemu ", process_->exit_description());
  std::string shutdown_reason;
  {
    MutexLock lock(&mu_);
    shutdown_reason = shutdown_reason_;
  }
  // One that panics before it has the driver to tell so resets itself, as its kernel is told to (kernel_parameters.cc).
  const bool may_be_panic = shutdown_reason == "guest-panic" || shutdown_reason == "guest-reset";
  const std::string panic = may_be_panic ? PanicLine(options_.run_dir) : "";
  if (!panic.empty()) return absl::StrCat(reason, ": the guest's kernel panicked: ", panic);
  if (may_be_panic) {
    return absl::StrCat(reason, ": ", InWords(shutdown_reason), "; ", LastLines(options_.run_dir));
  }
  if (!shutdown_reason.empty()) return absl::StrCat(reason, ": ", InWords(shutdown_reason));
  const std::string traces = TracesOfTheEnd(options_.run_dir, *options_.confinement);
  return traces.empty() ? reason : absl::StrCat(reason, ": ", traces);
}

std::string TracesOfTheEnd(const std::string& run_dir, const QemuConfinement& confinement) {
  std::vector<std::string> traces;
  for (std::string trace :
       {confinement.OutOfMemory(run_dir), PanicLine(run_dir), ReadLogTail(QemuLogPath(run_dir), kLastWordsBytes)}) {
    if (!trace.empty()) traces.push_back(absl::StrReplaceAll(trace, {{"\n", "; "}}));
  }
  return absl::StrJoin(traces, "; ");
}

absl::Status QemuMachine::AdoptDevices(const state::v1::VirtualMachine& record, const CallContext& context) {
  // For all that is known.
  stood_still_ = true;
  VCD_RETURN_IF_ERROR(control_->Execute("query-status", nullptr, Step(context)).status());
  VCD_RETURN_IF_ERROR(CancelSaving(*control_));
  VCD_RETURN_IF_ERROR(disks_->Adopt(record, context));
  VCD_RETURN_IF_ERROR(pci_devices_->Adopt(record, context));
  return shares_->Adopt(record, context);
}

void QemuMachine::GiveTo(const std::string& pod_id) {
  MutexLock lock(&mu_);
  pod_id_ = pod_id;
}

std::string QemuMachine::pod_id() const {
  MutexLock lock(&mu_);
  return pod_id_;
}

state::v1::VirtualMachine QemuMachine::Record() const {
  state::v1::VirtualMachine record;
  *record.mutable_process() = ToRecord(process_->identity());
  record.set_accelerator(options_.accelerator);
  record.set_first_uid(options_.first_uid);
  record.set_cgroup(options_.cgroup);
  record.set_machine_type(options_.machine_type);
  disks_->WriteTo(&record);
  pci_devices_->WriteTo(&record);
  size_->WriteTo(&record);
  shares_->WriteTo(&record);
  return record;
}

absl::Status QemuMachine::Explained(const absl::Status& status) {
  // QEMU may have closed its socket a moment before its end is seen.
  if (!absl::IsUnavailable(status)) return status;
  std::string reason;
  {
    const absl::Time patience = absl::Now() + absl::Seconds(1);
    MutexLock lock(&mu_);
    while (end_.empty() && absl::Now() < patience) ended_.WaitWithDeadline(&mu_, patience);
    reason = end_;
  }
  if (reason.empty()) return status;
  return WithDetail(absl::UnavailableError(absl::StrCat("the machine of pod ", pod_id(), " has ended: ", reason)),
                    {v1::ERROR_REASON_VM_EXITED, {}});
}

// While a machine stands still its port does not hear of connections that end and begin. What the guest writes when it
// goes on and nobody listens yet stops the port, and only the end of a connection that it hears of sets it free: QEMU
// waits for room in one that is gone. So one comes and goes before the one that counts; they are served in order.
void QemuMachine::FreeAgentPort() const {
  if (stood_still_) ConnectUnix(options_.run_dir, kAgentSocket).IgnoreError();
}

absl::StatusOr<UniqueFd> QemuMachine::ConnectAgent(const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check("connect to the agent's port"));
  FreeAgentPort();
  absl::StatusOr<UniqueFd> stream = ConnectUnix(options_.run_dir, kAgentSocket);
  if (stream.ok() && !process_->exited()) return stream;
  if (absl::IsNotFound(stream.status()) || stream.ok()) stream = absl::UnavailableError("nobody listens");
  return Explained(stream.status());
}

absl::Status QemuMachine::Pause(const CallContext& context) {
  stood_still_ = true;
  return Explained(control_->Execute("stop", nullptr, Step(context)).status());
}

absl::Status QemuMachine::Resume(const CallContext& context) {
  return Explained(control_->Execute("cont", nullptr, Step(context)).status());
}

absl::StatusOr<DiskAddress> QemuMachine::AttachDisk(const DiskSpec& disk, const CallContext& context) {
  absl::StatusOr<DiskAddress> address = disks_->Attach(disk, context);
  if (!address.ok()) return Explained(address.status());
  return address;
}

absl::Status QemuMachine::DetachDisk(const std::string& id, const CallContext& context) {
  return Explained(disks_->Detach(id, context));
}

absl::Status QemuMachine::AllowMemory(uint32_t memory_mib) const {
  if (options_.confinement == nullptr) return absl::OkStatus();
  return options_.confinement->SetGuestMemory(options_.run_dir, uint64_t{memory_mib} << 20);
}

absl::StatusOr<VmSize> QemuMachine::Resize(const VmSize& size, const CallContext& context) {
  // The host lets the machine have its memory before the machine takes it.
  if (size.memory_mib != 0) VCD_RETURN_IF_ERROR(AllowMemory(std::max(size.memory_mib, size_->now().memory_mib)));
  absl::StatusOr<VmSize> now = size_->Resize(size, context);
  // Also after a failure, whose own error is the one to tell.
  const absl::Status allowed = size.memory_mib != 0 ? AllowMemory(size_->now().memory_mib) : absl::OkStatus();
  if (!now.ok()) return Explained(now.status());
  VCD_RETURN_IF_ERROR(allowed);
  return now;
}

absl::Status QemuMachine::AttachHostDevice(const std::string& id, const std::string& pci_address,
                                           const CallContext& context) {
  // The device may write to all of the guest's memory, which therefore must stay where it is. Where this fails, QEMU
  // says what it could not have.
  const rlimit no_limit = {RLIM_INFINITY, RLIM_INFINITY};
  (void)::prlimit(process_->identity().pid, RLIMIT_MEMLOCK, &no_limit, nullptr);
  const absl::StatusOr<std::string> group = PciBus().GroupOf(pci_address);
  // One that is not there QEMU tells of in its own words.
  if (group.ok()) VCD_RETURN_IF_ERROR(options_.confinement->LendVfioGroup(options_.run_dir, *group));
  const absl::Status attached = Explained(pci_devices_->AttachHostDevice(id, pci_address, context));
  if (!attached.ok() && group.ok()) TakeVfioGroup(*group);
  return attached;
}

void QemuMachine::TakeVfioGroup(const std::string& group) {
  const absl::Status taken = options_.confinement->TakeVfioGroup(options_.run_dir, group);
  // It is tried again when the machine has ended.
  if (!taken.ok()) LogWarning(options_.pod_id, std::string(taken.message()));
}

absl::Status QemuMachine::DetachHostDevice(const std::string& id, const CallContext& context) {
  const std::string pci_address = pci_devices_->HostAddressOf(id);
  VCD_RETURN_IF_ERROR(Explained(pci_devices_->Detach(id, context)));
  if (const absl::StatusOr<std::string> group = PciBus().GroupOf(pci_address); group.ok()) TakeVfioGroup(*group);
  return absl::OkStatus();
}

absl::Status QemuMachine::AttachNic(NicSpec nic, const CallContext& context) {
  if (!nic.vhost_user_socket.empty() && !size_->shares_memory()) {
    return absl::FailedPreconditionError(
        absl::StrCat("network interface ", nic.id, ": a program can serve it only when it can reach the machine's ",
                     "memory, which this one was booted without; name the interface in ",
                     "network_config.vhost_user_sockets, stop the pod and start it again"));
  }
  return Explained(pci_devices_->AttachNic(std::move(nic), context));
}

absl::Status QemuMachine::DetachNic(const std::string& id, const CallContext& context) {
  return Explained(pci_devices_->Detach(id, context));
}

absl::StatusOr<SharedPath> QemuMachine::ShareDirectory(const ShareSpec& share, const CallContext& context) {
  absl::StatusOr<SharedPath> path = shares_->Share(share, context);
  if (!path.ok()) return Explained(path.status());
  return path;
}

absl::Status QemuMachine::UnshareDirectory(const std::string& tag, const CallContext& context) {
  return Explained(shares_->Unshare(tag, context));
}

// Over taps that are down, in a network namespace where nothing else is: what the guest sends before it hears that its
// interface goes must be heard by nobody, as the first pod has the addresses.
absl::Status QemuMachine::RestoreNics(const std::vector<SavedNic>& nics, const CallContext& context) {
  if (nics.empty()) return absl::OkStatus();
  VCD_ASSIGN_OR_RETURN(const NetworkNamespace nowhere, NetworkNamespace::Make());
  for (const SavedNic& saved : nics) {
    NicSpec nic;
    nic.id = saved.id;
    nic.mac = saved.mac;
    nic.mtu = saved.mtu;
    VCD_ASSIGN_OR_RETURN(nic.taps, OpenTapQueues(nowhere, absl::StrCat("saved", saved.slot), saved.queues,
                                                 /*existing=*/false));
    VCD_RETURN_IF_ERROR(pci_devices_->RestoreNic(saved.slot, std::move(nic), context));
  }
  return absl::OkStatus();
}

absl::Status QemuMachine::LoadImage(int inherited_fd, const std::vector<state::v1::BlockDevice>& disks,
                                    const QemuImage::Machine& image, const CallContext& context) {
  VCD_RETURN_IF_ERROR(disks_->Restore(disks, context));
  VCD_RETURN_IF_ERROR(RestoreNics(image.nics, context));
  return Annotate(LoadDevices(*control_, inherited_fd, context), "load the image");
}

absl::StatusOr<QemuImage::Machine> QemuMachine::DescribeForImage(const CallContext& context) {
  if (options_.memory.huge_pages) {
    return absl::FailedPreconditionError("its memory is of huge pages, which no image is made of");
  }
  VCD_RETURN_IF_ERROR(size_->CheckUnchanged(context));
  VCD_ASSIGN_OR_RETURN(std::vector<SavedNic> nics, pci_devices_->DescribeForImage(context));
  std::set<std::string> ports;
  VCD_RETURN_IF_ERROR(ListDevices(*control_, absl::StrCat("rp", kFileServerSlot), &ports, context));
  return QemuImage::Machine{size_->boot_memory_bytes(), size_->shares_memory(),
                            ports.count(absl::StrCat("rp", kFileServerSlot)) != 0, std::move(nics)};
}

absl::Status QemuMachine::SaveImage(const std::string& directory, const CallContext& context) {
  const std::string step = absl::StrCat("save the machine of pod ", pod_id());
  const absl::StatusOr<QemuImage::Machine> machine = DescribeForImage(context);
  VCD_RETURN_IF_ERROR(Annotate(Explained(machine.status()), step));
  VCD_RETURN_IF_ERROR(Annotate(Explained(WaitUntilAgentPortIsFree(*control_, context)), step));
  VCD_RETURN_IF_ERROR(Pause(context));
  VCD_ASSIGN_OR_RETURN(const UniqueFd state, CreateImageState(directory));
  VCD_RETURN_IF_ERROR(Annotate(Explained(SaveDevices(*control_, state.get(), context)), step));
  UniqueFd memory;
  if (machine->shares_memory) {
    // By way of QEMU, so that a machine can be saved that an earlier daemon started.
    const std::string path = absl::StrCat("/proc/", process_->identity().pid, "/fd/", options_.memory_fd);
    memory = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!memory.valid()) return Explained(PosixError(errno, absl::StrCat(step, ": open its memory, ", path)));
  }
  return Annotate(CompleteImage(directory, *machine, memory.get(), context), step);
}

absl::Status QemuMachine::AskToEnd(const CallContext& context) {
  const CallContext quit = context.Within(kQuitTime);
  // No answer is also good, when it is because QEMU has gone.
  (void)control_->Execute("quit", nullptr, quit);
  if (process_->WaitExit(quit).ok()) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(process_->Signal(SIGTERM));
  return process_->WaitExit(context.Within(kTermTime));
}

absl::Status QemuMachine::Stop(StopMode mode, const CallContext& context) {
  if (mode == StopMode::kForce || !AskToEnd(context).ok()) {
    VCD_RETURN_IF_ERROR(process_->Signal(SIGKILL));
    if (!process_->WaitExit({absl::Now() + kKillTime, nullptr}).ok()) {
      const pid_t pid = process_->identity().pid;
      return absl::InternalError(
          absl::StrCat("qemu of pod ", pod_id(), ", process ", pid, ", survives SIGKILL; see /proc/", pid, "/stack"));
    }
  }
  VCD_RETURN_IF_ERROR(shares_->EndProcesses());
  VCD_RETURN_IF_ERROR(options_.confinement->GiveBack(options_.run_dir));
  return RemoveSockets(options_.run_dir);
}

void QemuMachine::OnExit(std::function<void(const std::string& reason)> callback) {
  notice_.OnExit(std::move(callback));
}

void QemuMachine::OnTrouble(std::function<void(const VmTrouble& trouble)> callback) {
  MutexLock lock(&trouble_mu_);
  on_trouble_ = std::move(callback);
}

std::string QemuMachine::ConsoleTail() const { return ConsoleEnd(options_.run_dir, kConsoleTailBytes); }

}  // namespace vcd
