// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/file_server.h"

#include <fcntl.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/pci_slots.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "backends/hypervisor/qemu/share_mounts.h"
#include "backends/hypervisor/qemu/virtiofsd_process.h"
#include "core/hypervisor/process_record.h"
#include "core/os/user_namespace.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

// Of everything that belongs to it in QEMU.
constexpr char kName[] = "files";

// Users 0 … 65533 of the guest. The last two of a pod's 65536 are "nobody" in it, and QEMU's.
constexpr uint32_t kGuestIds = 65534;

constexpr absl::Duration kPatience = absl::Seconds(1);

}  // namespace

ProcessIdentity FileServer::identity() const {
  MutexLock lock(&mu_);
  return identity_;
}

std::shared_ptr<SupervisedProcess> FileServer::process() const {
  MutexLock lock(&mu_);
  return process_;
}

absl::Status FileServer::Adopt(const state::v1::VirtualMachine& record, const CallContext& context) {
  if (record.file_server().pid() > 0) {
    auto process = SupervisedProcess::Adopt(io_, FromRecord(record.file_server()));
    MutexLock lock(&mu_);
    state_ = State::kStarted;
    identity_ = FromRecord(record.file_server());
    if (process.ok()) process_ = *std::move(process);
    return absl::OkStatus();
  }
  std::set<std::string> present;
  VCD_RETURN_IF_ERROR(ListDevices(qmp_, kName, &present, context));
  VCD_RETURN_IF_ERROR(ListCharacterDevices(qmp_, kName, &present, context));
  return present.empty() ? absl::OkStatus() : Undo(context);
}

absl::StatusOr<UniqueFd> FileServer::UserNamespace() const {
  if (options_.first_uid == 0) return UniqueFd();
  const ProcessIdentity server = identity();
  if (server.pid <= 0) return MakeUserNamespace(options_.first_uid, kGuestIds);
  UniqueFd its(open(absl::StrCat("/proc/", server.pid, "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  const int error = errno;
  // Opened before it is checked that the process is still the one.
  if (!OpenPidfd(server).ok()) return EndedError();
  if (!its.valid())
    return PosixError(error, absl::StrCat("open the user namespace of virtiofsd, process ", server.pid));
  return its;
}

absl::StatusOr<UniqueFd> FileServer::Pidfd() const {
  const ProcessIdentity server = identity();
  if (server.pid <= 0) return absl::NotFoundError("virtiofsd has not been started");
  return OpenPidfd(server);
}

absl::Status FileServer::EndedError() const {
  const std::shared_ptr<SupervisedProcess> ended = process();
  std::string how = ended == nullptr ? std::string() : ended->exit_description();
  if (how.empty()) how = "ended";
  return absl::FailedPreconditionError(
      absl::StrCat("virtiofsd of the machine, process ", identity().pid, ": ", how,
                   "; the guest has lost the files that the host shares; stop the pod and start it again"));
}

absl::StatusOr<UniqueFd> FileServer::Ensure(int user_namespace, const CallContext& context) {
  bool clean = true;
  {
    MutexLock lock(&mu_);
    if (state_ == State::kStarting) return absl::AbortedError("virtiofsd is being started; try again");
    if (state_ != State::kStarted) {
      clean = state_ == State::kAbsent;
      state_ = State::kStarting;
    }
  }
  if (identity().pid > 0) {
    absl::StatusOr<UniqueFd> pidfd = Pidfd();
    if (absl::IsNotFound(pidfd.status())) return EndedError();
    return pidfd;
  }
  absl::Status started = clean ? absl::OkStatus() : Undo(context);
  if (started.ok()) started = Start(user_namespace, context);
  if (!started.ok()) {
    const absl::Status undone = Undo(CleanupContext());
    MutexLock lock(&mu_);
    state_ = undone.ok() ? State::kAbsent : State::kNotUndone;
    return started;
  }
  {
    MutexLock lock(&mu_);
    state_ = State::kStarted;
    identity_ = process_->identity();
  }
  return Pidfd();
}

absl::Status FileServer::Start(int user_namespace, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const UniqueFd root, MakeShareRoot());
  VirtiofsdSpec spec{options_.virtiofsd_path, options_.run_dir, root.get(), user_namespace, {}};
  std::vector<UniqueFd> joins;
  if (options_.confinement != nullptr) {
    VCD_ASSIGN_OR_RETURN(joins, options_.confinement->JoinCgroup(options_.run_dir));
  }
  for (const UniqueFd& join : joins) spec.cgroup_fds.push_back(join.get());
  VCD_ASSIGN_OR_RETURN(StartedVirtiofsd started, StartVirtiofsd(io_, spec));
  {
    MutexLock lock(&mu_);
    process_ = std::move(started.process);
  }
  const json backend = {{"type", "socket"},
                        {"data", {{"addr", {{"type", "fd"}, {"data", {{"str", kName}}}}}, {"server", false}}}};
  json device = {{"driver", "vhost-user-fs-pci"}, {"id", kName}, {"chardev", kName}, {"tag", kFileServerTag}};
  device.update(PciSlotAddress(options_.machine_type, kFileServerSlot));
  absl::Status status =
      qmp_.ExecuteWithFd("getfd", {{"fdname", kName}}, started.connection.get(), Step(context)).status();
  // Our copy would keep the connection open when virtiofsd's end or QEMU's goes.
  started.connection.Reset();
  if (status.ok()) {
    status = qmp_.Execute("chardev-add", {{"id", kName}, {"backend", backend}}, Step(context)).status();
  }
  // QEMU asks virtiofsd for its features here, which answers when it has made itself ready.
  if (status.ok()) status = qmp_.Execute("device_add", device, Step(context)).status();
  if (status.ok()) return status;
  const std::string words = VirtiofsdWords(started.log);
  return words.empty() ? status : Annotate(status, absl::StrCat("virtiofsd says: ", words));
}

absl::Status FileServer::Undo(const CallContext& context) {
  VCD_RETURN_IF_ERROR(RemoveDevice(qmp_, kName, context));
  VCD_RETURN_IF_ERROR(RemoveBackend(qmp_, "chardev-remove", {{"id", kName}}, kName, context));
  VCD_RETURN_IF_ERROR(IgnoreMissing(qmp_.Execute("closefd", {{"fdname", kName}}, Step(context)).status()));
  // Its socket is closed now, and so it ends.
  std::shared_ptr<SupervisedProcess> released = process();
  VCD_RETURN_IF_ERROR(EndVirtiofsd(io_, released.get(), options_.run_dir, kPatience));
  MutexLock lock(&mu_);
  // Not destroyed under the lock, by `released`: that may wait for the I/O thread.
  process_.reset();
  return absl::OkStatus();
}

absl::Status FileServer::End() { return EndVirtiofsd(io_, process().get(), options_.run_dir, kPatience); }

void FileServer::WriteTo(state::v1::VirtualMachine* record) const {
  const ProcessIdentity server = identity();
  if (server.pid > 0) *record->mutable_file_server() = ToRecord(server);
}

}  // namespace vcd
