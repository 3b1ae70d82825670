// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_machine.h"

#include <signal.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "backends/hypervisor/qemu/run_files.h"
#include "core/hypervisor/process_record.h"
#include "core/os/run_file.h"
#include "core/os/unix_socket.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kConsoleTailBytes = 1024;
constexpr size_t kLastWordsBytes = 500;
constexpr absl::Duration kQuitTime = absl::Seconds(2);
constexpr absl::Duration kTermTime = absl::Seconds(2);
constexpr absl::Duration kKillTime = absl::Seconds(10);

// QEMU's reasons (qapi/run-state.json, ShutdownCause) that say more than its exit status.
std::string InWords(const std::string& shutdown_reason) {
  if (shutdown_reason == "guest-reset") return "the guest reset itself, as after a kernel panic";
  if (shutdown_reason == "guest-shutdown") return "the guest powered itself off";
  if (shutdown_reason == "guest-panic") return "the guest's kernel panicked";
  if (shutdown_reason == "host-qmp-quit") return "asked to quit";
  if (shutdown_reason == "host-signal") return "asked to end by a signal";
  return shutdown_reason;
}

}  // namespace

QemuMachine::QemuMachine(IoThread& io, Options options, std::shared_ptr<SupervisedProcess> process)
    : io_(io), options_(std::move(options)), notice_(io), process_(std::move(process)) {}

QemuMachine::~QemuMachine() {
  // Whoever else holds the process, this object is called back no more.
  process_->OnExit(nullptr);
}

absl::StatusOr<std::unique_ptr<QemuMachine>> QemuMachine::Connect(IoThread& io, Options options,
                                                                  std::shared_ptr<SupervisedProcess> process,
                                                                  const CallContext& context) {
  std::unique_ptr<QemuMachine> machine(new QemuMachine(io, std::move(options), std::move(process)));
  VCD_RETURN_IF_ERROR(machine->ConnectMonitors(context));
  machine->Watch();
  return machine;
}

absl::Status QemuMachine::ConnectMonitors(const CallContext& context) {
  {
    MutexLock lock(&mu_);
    monitor_closed_ = false;
  }
  QmpClient::Handlers handlers;
  handlers.on_event = [this](const QmpEvent& event) {
    if (event.name != "SHUTDOWN") return;
    MutexLock lock(&mu_);
    shutdown_reason_ = StringField(event.data, "reason");
  };
  handlers.on_closed = [this](const absl::Status&) { MonitorClosed(); };
  VCD_ASSIGN_OR_RETURN(UniqueFd monitor, ConnectUnix(options_.run_dir, kMonitorSocket));
  VCD_ASSIGN_OR_RETURN(monitor_,
                       QmpClient::Connect(io_, std::move(monitor), kMonitorSocket, std::move(handlers), context));
  VCD_ASSIGN_OR_RETURN(UniqueFd control, ConnectUnix(options_.run_dir, kControlSocket));
  VCD_ASSIGN_OR_RETURN(control_, QmpClient::Connect(io_, std::move(control), kControlSocket, {}, context));
  disks_ = std::make_unique<QemuDisks>(*control_);
  shares_ = std::make_unique<QemuShares>(
      io_, *control_,
      QemuShares::Options{{options_.virtiofsd_path, options_.run_dir, options_.first_uid}, options_.shared_memory});
  return absl::OkStatus();
}

void QemuMachine::Watch() {
  process_->OnExit([this](const std::string&) { ProcessEnded(); });
}

void QemuMachine::MonitorClosed() {
  {
    MutexLock lock(&mu_);
    monitor_closed_ = true;
    if (!process_ended_) return;
  }
  notice_.Tell(ExitReason());
}

void QemuMachine::ProcessEnded() {
  {
    MutexLock lock(&mu_);
    process_ended_ = true;
    // What it said last may still be unread in the socket, which has an end now.
    if (!monitor_closed_) return;
  }
  notice_.Tell(ExitReason());
}

std::string QemuMachine::ExitReason() {
  std::string reason = absl::StrCat("qemu ", process_->exit_description());
  {
    MutexLock lock(&mu_);
    if (!shutdown_reason_.empty()) return absl::StrCat(reason, ": ", InWords(shutdown_reason_));
  }
  const std::string last_words = ReadLogTail(QemuLogPath(options_.run_dir), kLastWordsBytes);
  if (!last_words.empty()) absl::StrAppend(&reason, ": ", absl::StrReplaceAll(last_words, {{"\n", "; "}}));
  return reason;
}

absl::Status QemuMachine::AdoptDevices(const state::v1::VirtualMachine& record, const CallContext& context) {
  VCD_RETURN_IF_ERROR(control_->Execute("query-status", nullptr, Step(context)).status());
  VCD_RETURN_IF_ERROR(disks_->Adopt(record, context));
  return shares_->Adopt(record, context);
}

state::v1::VirtualMachine QemuMachine::Record() const {
  state::v1::VirtualMachine record;
  *record.mutable_process() = ToRecord(process_->identity());
  record.set_accelerator(options_.accelerator);
  disks_->WriteTo(&record);
  shares_->WriteTo(&record);
  return record;
}

absl::Status QemuMachine::Explained(const absl::Status& status) {
  // QEMU may have closed its socket a moment before its end is seen.
  if (!absl::IsUnavailable(status) || !process_->WaitExit({absl::Now() + absl::Seconds(1), nullptr}).ok())
    return status;
  return WithDetail(
      absl::UnavailableError(absl::StrCat("the machine of pod ", options_.pod_id, " has ended: ", ExitReason())),
      {v1::ERROR_REASON_VM_EXITED, {}});
}

absl::StatusOr<UniqueFd> QemuMachine::ConnectAgent(const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check("connect to the agent's port"));
  absl::StatusOr<UniqueFd> stream = ConnectUnix(options_.run_dir, kAgentSocket);
  if (stream.ok() && !process_->exited()) return stream;
  if (absl::IsNotFound(stream.status()) || stream.ok()) stream = absl::UnavailableError("nobody listens");
  return Explained(stream.status());
}

absl::Status QemuMachine::Pause(const CallContext& context) {
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

absl::StatusOr<SharedPath> QemuMachine::ShareDirectory(const ShareSpec& share, const CallContext& context) {
  absl::StatusOr<SharedPath> path = shares_->Share(share, context);
  if (!path.ok()) return Explained(path.status());
  return path;
}

absl::Status QemuMachine::UnshareDirectory(const std::string& tag, const CallContext& context) {
  return Explained(shares_->Unshare(tag, context));
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
      return absl::InternalError(absl::StrCat("qemu of pod ", options_.pod_id, ", process ", pid,
                                              ", survives SIGKILL; see /proc/", pid, "/stack"));
    }
  }
  VCD_RETURN_IF_ERROR(shares_->EndProcesses());
  return RemoveSockets(options_.run_dir);
}

void QemuMachine::OnExit(std::function<void(const std::string& reason)> callback) {
  notice_.OnExit(std::move(callback));
}

std::string QemuMachine::ConsoleTail() const {
  return ReadLogTail(ConsoleLogPath(options_.run_dir), kConsoleTailBytes);
}

}  // namespace vcd
