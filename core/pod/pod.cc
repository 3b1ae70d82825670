// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"
#include "core/log/logger.h"
#include "core/model/utf8.h"
#include "core/pod/pod_state_machine.h"
#include "core/pod/pod_view.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

template <typename T>
T& Named(const std::map<std::string, std::unique_ptr<T>>& backends, const std::string& name,
         const std::string& default_name) {
  const auto found = backends.find(name);
  return found != backends.end() ? *found->second : *backends.at(default_name);
}

// A change that always is one.
std::function<bool(state::v1::PodRecord&)> Always(const std::function<void(state::v1::PodRecord&)>& change) {
  return [&change](state::v1::PodRecord& record) {
    change(record);
    return true;
  };
}

}  // namespace

absl::Status ContainerNotFound(const std::string& pod_id, const std::string& container_id) {
  return WithDetail(
      absl::NotFoundError(absl::StrCat("container ", container_id, " of pod ", pod_id, ": there is none; `vc inspect ",
                                       pod_id, "` shows those that are")),
      {v1::ERROR_REASON_CONTAINER_NOT_FOUND, {{"pod_id", pod_id}, {"container_id", container_id}}});
}

absl::Status VmExited(const std::string& pod_id, const std::string& reason) {
  return WithDetail(absl::UnavailableError(absl::StrCat("pod ", pod_id, ": its VM ended: ", reason)),
                    {v1::ERROR_REASON_VM_EXITED, {{"pod_id", pod_id}}});
}

absl::Status OfPod(const absl::Status& status, const std::string& pod_id, absl::string_view step) {
  const std::string pod = absl::StrCat("pod ", pod_id);
  const std::string begin = step.empty() ? pod : absl::StrCat(pod, ": ", step);
  absl::string_view rest = status.message();
  if (status.ok() || !absl::ConsumePrefix(&rest, absl::StrCat(pod, ": "))) return Annotate(status, begin);
  absl::Status named(status.code(), absl::StrCat(begin, ": ", rest));
  status.ForEachPayload([&named](absl::string_view url, const absl::Cord& payload) { named.SetPayload(url, payload); });
  return named;
}

Pod::Pod(const PodEnvironment& environment, const v1::PodConfig& config, state::v1::PodRecord record)
    : environment_(environment),
      id_(record.pod_id()),
      hypervisor_(
          Named(environment.backends.hypervisors, config.hypervisor(), environment.backends.default_hypervisor)),
      agent_(Named(environment.backends.agents, config.agent(), environment.backends.default_agent)),
      network_(Named(environment.backends.networks, config.network(), environment.backends.default_network)),
      config_(config),
      record_(std::move(record)) {}

absl::StatusOr<DiskClaims::Claim> Pod::ClaimDisk(const HostDisk& disk, bool writable, const std::string& part) {
  return environment_.disks.Take(disk, writable, absl::StrCat(part, " of pod ", id_));
}

std::string Pod::run_dir() const { return environment_.store.layout().RunDir(id_); }

std::string Pod::warm_machine() const {
  MutexLock lock(&mu_);
  return record_.warm_machine();
}

std::string Pod::machine_dir() const {
  const std::string warm = warm_machine();
  return warm.empty() ? run_dir() : environment_.templates.warm().RunDir(warm);
}

NetworkPod Pod::AsNetworkPod(const v1::PodConfig& config) const {
  NetworkPod pod;
  pod.pod_id = id_;
  pod.run_dir = run_dir();
  pod.state_dir = environment_.store.layout().PodStateDir(id_);
  pod.config = config.network_config();
  pod.max_queues = std::max(config.hypervisor_config().default_vcpus(), 1u);
  return pod;
}

std::string Pod::LogPath(const std::string& container_id) const {
  return environment_.store.layout().ContainerLog(id_, container_id);
}

std::shared_ptr<const v1::PodConfig> Pod::config() const {
  MutexLock lock(&mu_);
  return ConfigLocked();
}

std::shared_ptr<const v1::PodConfig> Pod::ConfigLocked() const {
  std::shared_ptr<const v1::PodConfig> config = unpacked_config_.lock();
  if (config == nullptr) {
    // Not make_shared, whose one block of memory would stay for as long as the weak pointer.
    config = std::shared_ptr<const v1::PodConfig>(new v1::PodConfig(config_.Unpack()));
    unpacked_config_ = config;
  }
  return config;
}

state::v1::PodRecord Pod::record() const {
  MutexLock lock(&mu_);
  return record_;
}

v1::PodState Pod::state() const {
  MutexLock lock(&mu_);
  return record_.state();
}

v1::Pod Pod::View() const {
  MutexLock lock(&mu_);
  return MakePodView(*ConfigLocked(), record_);
}

absl::StatusOr<v1::Container> Pod::ViewContainer(const std::string& container_id) const {
  MutexLock lock(&mu_);
  const std::shared_ptr<const v1::PodConfig> config = ConfigLocked();
  for (const v1::ContainerConfig& container : config->containers()) {
    if (container.id() == container_id) {
      return MakeContainerView(id_, container, FindContainer(record_, container_id));
    }
  }
  return ContainerNotFound(id_, container_id);
}

void Pod::PublishLocked(const v1::PodConfig& config, const state::v1::PodRecord& record) {
  environment_.registry.Publish(MakePodView(config, record));
}

absl::Status Pod::Change(const std::function<void(state::v1::PodRecord&)>& change, bool fact) {
  return ChangeAndSave(Always(change), fact, fact ? DiskRoom::kReserve : DiskRoom::kFree);
}

absl::Status Pod::ChangeToEnd(const std::function<void(state::v1::PodRecord&)>& change) {
  return ChangeAndSave(Always(change), /*fact=*/false, DiskRoom::kReserve);
}

absl::Status Pod::ChangeIf(const std::function<bool(state::v1::PodRecord&)>& change, bool fact) {
  return ChangeAndSave(change, fact, fact ? DiskRoom::kReserve : DiskRoom::kFree);
}

absl::Status Pod::ChangeAndSave(const std::function<bool(state::v1::PodRecord&)>& change, bool fact, DiskRoom room) {
  MutexLock changing(&change_mu_);
  state::v1::PodRecord record = this->record();
  if (!change(record)) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(CheckMove(record));
  absl::Status saved = environment_.store.SaveRecord(record, room);
  if (!saved.ok()) {
    saved = WithMetadata(saved, "pod_id", id_);
    LogError(id_, absl::StrCat("state not written: ", saved.message()));
    if (!fact) return saved;
  }
  TakeLocked(std::move(record));
  return saved;
}

void Pod::ChangeUnwritten(const std::function<void(state::v1::PodRecord&)>& change) {
  MutexLock changing(&change_mu_);
  state::v1::PodRecord record = this->record();
  change(record);
  if (CheckMove(record).ok()) TakeLocked(std::move(record));
}

void Pod::TakeLocked(state::v1::PodRecord record) {
  // First, so that whoever finds the change in the record has nothing older in the snapshot.
  PublishLocked(*config(), record);
  MutexLock lock(&mu_);
  record_ = std::move(record);
}

absl::Status Pod::CheckMove(const state::v1::PodRecord& to) const {
  MutexLock lock(&mu_);
  absl::Status moved = CheckMoves(record_, to);
  if (!moved.ok()) LogError(id_, std::string(moved.message()));
  return moved;
}

absl::Status Pod::RememberDone(const state::v1::Request& request) {
  if (request.request_id().empty()) return absl::OkStatus();
  return Change([&](state::v1::PodRecord& record) { Remember(record, request); }, /*fact=*/true);
}

absl::Status Pod::SaveConfig() {
  MutexLock changing(&change_mu_);
  return WithMetadata(environment_.store.SaveConfig(*config(), DiskRoom::kFree), "pod_id", id_);
}

absl::Status Pod::ChangeConfig(const std::function<void(v1::PodConfig&)>& change, DiskRoom room) {
  VCD_RETURN_IF_ERROR(config_damage_);
  MutexLock changing(&change_mu_);
  v1::PodConfig config = *this->config();
  change(config);
  VCD_RETURN_IF_ERROR(WithMetadata(environment_.store.SaveConfig(config, room), "pod_id", id_));
  PublishLocked(config, record());
  MutexLock lock(&mu_);
  config_ = Packed(config);
  unpacked_config_.reset();
  return absl::OkStatus();
}

void Pod::Tell(v1::EventType type, const std::string& container_id, const std::string& process_id,
               const std::optional<v1::ExitStatus>& exit_status, const std::string& reason) {
  v1::Event event;
  event.set_type(type);
  event.set_pod_id(id_);
  event.set_container_id(container_id);
  event.set_process_id(process_id);
  if (exit_status.has_value()) *event.mutable_exit_status() = *exit_status;
  event.set_reason(ToUtf8(reason));
  StampNow(event.mutable_time());
  environment_.events.Publish(std::move(event));
}

void Pod::SetMachine(std::unique_ptr<VirtualMachine> machine) {
  machine_ = std::move(machine);
  ending_.store(false);
  stands_still_.store(false);
  machine_end_ = Completion<std::string>();
  machine_->OnTrouble([weak = weak_from_this()](const VmTrouble& trouble) {
    if (const std::shared_ptr<Pod> self = weak.lock()) self->OnTrouble(trouble);
  });
  machine_->OnExit([weak = weak_from_this(), end = machine_end_](const std::string& reason) {
    end.Set(reason);
    std::shared_ptr<Pod> self = weak.lock();
    // Whoever has told the loss of the guest sees to this too, and must not be preempted for it.
    if (self == nullptr || self->lost_ == nullptr || self->ending_.exchange(true)) return;
    self->lost_(VmExited(self->id_, reason));
  });
}

void Pod::OnTrouble(const VmTrouble& trouble) {
  // A disk that fails does so at every request of the guest.
  if (trouble.kind == VmTrouble::Kind::kDiskError && !disk_events_.Take(absl::Now())) return;
  environment_.work.Post([self = shared_from_this(), trouble] {
    LogWarning(self->id_, trouble.what);
    // The end that follows a panic has an event of its own.
    if (trouble.kind != VmTrouble::Kind::kDiskError) return;
    self->Tell(v1::EVENT_TYPE_POD_IO_ERROR, "", "", std::nullopt, trouble.what);
  });
}

std::optional<std::string> Pod::MachineEnd(absl::Duration wait) {
  absl::StatusOr<std::string> end = machine_end_.Wait({absl::Now() + wait, nullptr}, "the VM's end");
  return end.ok() ? std::optional<std::string>(*end) : std::nullopt;
}

std::unique_ptr<VirtualMachine> Pod::TakeMachine() {
  ending_.store(true);
  if (machine_ != nullptr) {
    machine_->OnTrouble(nullptr);
    machine_->OnExit(nullptr);
  }
  return std::move(machine_);
}

void Pod::BeginRecovery() {
  MutexLock lock(&mu_);
  recovery_ = std::make_shared<RecoveryWait>(environment_.io);
}

void Pod::EndRecovery(const absl::Status& status) {
  std::shared_ptr<RecoveryWait> recovery;
  {
    MutexLock lock(&mu_);
    recovery.swap(recovery_);
  }
  if (recovery != nullptr) recovery->End(status);
}

std::shared_ptr<RecoveryWait> Pod::recovery() const {
  MutexLock lock(&mu_);
  return recovery_;
}

absl::Status Pod::StillRecovering() const {
  return WithDetail(
      absl::UnavailableError(absl::StrCat("pod ", id_,
                                          ": vcd was restarted and still asks the guest what runs in it; try again, or "
                                          "stop the pod with force, which does not wait for its guest")),
      {v1::ERROR_REASON_AGENT_UNAVAILABLE, {{"pod_id", id_}}});
}

void Pod::OnOutOfMemory(const std::string& container_id, uint64_t kills) {
  if (!container_id.empty() && !ViewContainer(container_id).ok()) return;
  if (!oom_events_.Take(absl::Now())) return;
  environment_.work.Post([self = shared_from_this(), container_id, kills] {
    const std::string reason = absl::StrCat(kills, kills == 1 ? " process" : " processes",
                                            " ended for want of memory so far; raise the container's limit, or the "
                                            "guest's memory if it has none");
    LogWarning(self->id_, absl::StrCat("container ", container_id, ": out of memory: ", reason));
    self->Tell(v1::EVENT_TYPE_CONTAINER_OOM, container_id, "", std::nullopt, reason);
  });
}

void Pod::OnMemoryPressure(double some_percent) {
  if (!pressure_events_.Take(absl::Now())) return;
  environment_.work.Post([self = shared_from_this(), some_percent] {
    self->Tell(v1::EVENT_TYPE_POD_MEMORY_PRESSURE, "", "", std::nullopt,
               absl::StrFormat("processes waited for memory in %.1f %% of the last 10 s", some_percent));
  });
}

std::optional<uint64_t> Pod::AskForLife() {
  if (stands_still_.load()) return std::nullopt;
  return guest_->AskForLife();
}

void Pod::FoundSilent(absl::Duration time) {
  OnGuestLost(GuestGoneStatus(
      id_, absl::StrCat("its agent has given no sign of life for ", absl::FormatDuration(time),
                        "; its kernel may have crashed, or the machine may be short of CPU (see [health] of vcd's "
                        "configuration)")));
}

void Pod::OnGuestLost(const absl::Status& why) {
  // A guest that powers off because it was told to is not lost: whoever told it must not be preempted for that.
  // Nor is one of which it was told already.
  if (lost_ != nullptr && !ending_.exchange(true)) lost_(why);
}

}  // namespace vcd
