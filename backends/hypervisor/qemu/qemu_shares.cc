// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_shares.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/qemu_command_line.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "backends/hypervisor/qemu/virtiofsd_process.h"
#include "core/hypervisor/process_record.h"
#include "core/os/run_file.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

constexpr size_t kMaxTagBytes = 36;  // struct virtio_fs_config.
constexpr char kPrefix[] = "share-";

std::string Name(int port) { return absl::StrCat(kPrefix, port); }

absl::Status CheckTag(const std::string& tag) {
  const bool printable =
      std::all_of(tag.begin(), tag.end(), [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (tag.empty() || tag.size() > kMaxTagBytes || !printable) {
    return absl::InvalidArgumentError(absl::StrCat("\"", tag, "\" is no tag of a shared directory: 1 to ", kMaxTagBytes,
                                                   " visible ASCII characters"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CanonicalDirectory(const std::string& host_path) {
  std::error_code error;
  const std::string path = std::filesystem::canonical(host_path, error).string();
  if (error) return PosixError(error.value(), absl::StrCat("share ", host_path));
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return PosixError(errno, absl::StrCat("share ", host_path));
  if (!S_ISDIR(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat("share ", host_path, ": not a directory"));
  return path;
}

}  // namespace

absl::Status QemuShares::Adopt(const state::v1::VirtualMachine& record, const CallContext& context) {
  for (int port = 1; port <= kRootPorts; ++port) {
    VCD_ASSIGN_OR_RETURN(const std::string tag, TagOf(port, context));
    for (const state::v1::SharedDirectory& shared : record.shared_directories()) {
      if (tag.empty() || shared.tag() != tag) continue;
      Directory directory{tag, shared.host_path(), nullptr, false, true};
      // One that is gone takes its directory with it, not the machine: the record goes on without a process.
      if (shared.process().pid() > 0) {
        auto process = SupervisedProcess::Adopt(io_, FromRecord(shared.process()));
        if (process.ok()) directory.process = *std::move(process);
      }
      MutexLock lock(&mu_);
      directories_[port] = std::move(directory);
    }
  }
  std::set<std::string> present;
  VCD_RETURN_IF_ERROR(ListDevices(qmp_, kPrefix, &present, context));
  VCD_RETURN_IF_ERROR(ListCharacterDevices(qmp_, kPrefix, &present, context));
  for (int port = 1; port <= kRootPorts; ++port) {
    bool known = false;
    {
      MutexLock lock(&mu_);
      known = directories_.count(port) != 0;
    }
    if (!known && present.count(Name(port)) != 0) VCD_RETURN_IF_ERROR(Unplug(port, context));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> QemuShares::TagOf(int port, const CallContext& context) {
  const json property = {{"path", absl::StrCat("/machine/peripheral/", Name(port))}, {"property", "tag"}};
  const absl::StatusOr<json> tag = qmp_.Execute("qom-get", property, Step(context));
  if (absl::IsNotFound(tag.status())) return std::string();
  VCD_RETURN_IF_ERROR(tag.status());
  return tag->is_string() ? tag->get<std::string>() : std::string();
}

absl::StatusOr<int> QemuShares::Reserve(const std::string& tag, const std::string& host_path) {
  MutexLock lock(&mu_);
  for (const auto& [port, other] : directories_) {
    if (other.tag == tag) return absl::AlreadyExistsError(absl::StrCat("directory ", tag, " is shared already"));
  }
  for (int port = 1; port <= kRootPorts; ++port) {
    if (directories_.count(port) != 0) continue;
    directories_[port] = Directory{tag, host_path, nullptr, true, false};
    return port;
  }
  return absl::ResourceExhaustedError(absl::StrCat("directory ", tag, ": the machine shares ", kRootPorts,
                                                   " already; put more into one directory, or use an image"));
}

std::shared_ptr<SupervisedProcess> QemuShares::ProcessOf(int port) const {
  MutexLock lock(&mu_);
  auto found = directories_.find(port);
  return found == directories_.end() ? nullptr : found->second.process;
}

absl::Status QemuShares::Share(const std::string& tag, const std::string& host_path, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("share ", host_path)));
  VCD_RETURN_IF_ERROR(CheckTag(tag));
  if (!options_.shared_memory) {
    return absl::FailedPreconditionError(
        absl::StrCat("share ", host_path, ": the machine was not booted with shared memory"));
  }
  VCD_ASSIGN_OR_RETURN(const int port, Reserve(tag, host_path));
  const absl::Status plugged = Plug(port, tag, host_path, context);
  if (plugged.ok()) {
    MutexLock lock(&mu_);
    directories_[port].busy = false;
    directories_[port].shared = true;
    return plugged;
  }
  // As with disks: what could not be undone keeps its port, nameless.
  const absl::Status undone = Unplug(port, CleanupContext());
  MutexLock lock(&mu_);
  if (undone.ok()) {
    directories_.erase(port);
  } else {
    directories_[port].tag.clear();
  }
  return plugged;
}

absl::Status QemuShares::Plug(int port, const std::string& tag, const std::string& host_path,
                              const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const std::string source, CanonicalDirectory(host_path));
  VCD_ASSIGN_OR_RETURN(StartedVirtiofsd started,
                       StartVirtiofsd(io_, {options_.virtiofsd_path, options_.run_dir, absl::StrCat(port), source}));
  {
    MutexLock lock(&mu_);
    directories_[port].process = std::move(started.process);
  }
  const std::string name = Name(port);
  const json backend = {{"type", "socket"},
                        {"data", {{"addr", {{"type", "fd"}, {"data", {{"str", name}}}}}, {"server", false}}}};
  const json device = {{"driver", "vhost-user-fs-pci"},
                       {"id", name},
                       {"chardev", name},
                       {"tag", tag},
                       {"bus", absl::StrCat("rp", port)}};
  absl::Status status =
      qmp_.ExecuteWithFd("getfd", {{"fdname", name}}, started.connection.get(), Step(context)).status();
  // Our copy would keep the connection open when virtiofsd's end or QEMU's goes.
  started.connection.Reset();
  if (status.ok()) {
    status = qmp_.Execute("chardev-add", {{"id", name}, {"backend", backend}}, Step(context)).status();
  }
  if (status.ok()) status = qmp_.Execute("device_add", device, Step(context)).status();
  if (status.ok()) return status;
  const std::string last_words = ReadLogTail(VirtiofsdLogPath(options_.run_dir, absl::StrCat(port)), 500);
  const std::string step = absl::StrCat("share ", host_path);
  return Annotate(status, last_words.empty() ? step : absl::StrCat(step, ": virtiofsd says: ", last_words));
}

absl::Status QemuShares::Unplug(int port, const CallContext& context) {
  const std::string name = Name(port);
  VCD_RETURN_IF_ERROR(RemoveDevice(qmp_, name, context));
  VCD_RETURN_IF_ERROR(RemoveBackend(qmp_, "chardev-remove", {{"id", name}}, name, context));
  VCD_RETURN_IF_ERROR(IgnoreMissing(qmp_.Execute("closefd", {{"fdname", name}}, Step(context)).status()));
  // Its socket is closed now, and so it ends.
  const std::shared_ptr<SupervisedProcess> process = ProcessOf(port);
  return EndVirtiofsd(io_, process.get(), options_.run_dir, absl::StrCat(port), absl::Seconds(1));
}

absl::Status QemuShares::Unshare(const std::string& tag, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("unshare ", tag)));
  int port = 0;
  {
    MutexLock lock(&mu_);
    for (auto& [candidate, directory] : directories_) {
      if (directory.tag != tag) continue;
      if (directory.busy) return absl::AbortedError(absl::StrCat("directory ", tag, " is being shared or unshared"));
      directory.busy = true;
      port = candidate;
    }
  }
  if (port == 0) return absl::OkStatus();
  const absl::Status unplugged = Annotate(Unplug(port, context), absl::StrCat("unshare ", tag));
  std::shared_ptr<SupervisedProcess> released;
  MutexLock lock(&mu_);
  if (unplugged.ok()) {
    // Not destroyed under the lock: that may wait for the I/O thread.
    released = std::move(directories_[port].process);
    directories_.erase(port);
  } else {
    directories_[port].busy = false;
  }
  return unplugged;
}

absl::Status QemuShares::EndProcesses() {
  absl::Status first_error = absl::OkStatus();
  for (int port = 1; port <= kRootPorts; ++port) {
    const std::shared_ptr<SupervisedProcess> process = ProcessOf(port);
    if (process == nullptr) continue;
    const absl::Status ended = EndVirtiofsd(io_, process.get(), options_.run_dir, absl::StrCat(port), absl::Seconds(1));
    if (first_error.ok()) first_error = ended;
  }
  return first_error;
}

void QemuShares::WriteTo(state::v1::VirtualMachine* record) const {
  MutexLock lock(&mu_);
  for (const auto& [port, directory] : directories_) {
    if (!directory.shared) continue;
    state::v1::SharedDirectory* shared = record->add_shared_directories();
    shared->set_tag(directory.tag);
    shared->set_host_path(directory.host_path);
    if (directory.process != nullptr) *shared->mutable_process() = ToRecord(directory.process->identity());
  }
}

}  // namespace vcd
