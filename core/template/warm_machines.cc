// SPDX-License-Identifier: Apache-2.0
#include "core/template/warm_machines.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/hypervisor/console_log.h"
#include "core/log/logger.h"
#include "core/model/ids.h"
#include "core/state/state_codec.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// No id of a pod has such a character.
constexpr char kNamePrefix[] = "warm@";

// What QEMU takes for itself, and a guest that has not run yet.
constexpr uint64_t kOwnBytes = uint64_t{32} << 20;

constexpr absl::Duration kAdoptTime = absl::Seconds(10);
constexpr absl::Duration kCleanUpTime = absl::Seconds(30);

CallContext CleanUpContext() { return {absl::Now() + kCleanUpTime, nullptr}; }

std::string RecordFile(const std::string& run_dir) { return run_dir + "/machine.json"; }

uint64_t BytesOf(const WarmKind& kind, uint64_t template_bytes) {
  return kOwnBytes + (kind.shared_memory ? template_bytes : 0);
}

void LogProblem(const std::string& step, const absl::Status& status) {
  if (!status.ok()) LogError("", absl::StrCat(step, ": ", status.message()));
}

}  // namespace

WarmMachines::WarmMachines(const TemplateOptions& options, Filesystem& filesystem, BootGate& gate, BackgroundWork& work,
                           RuntimeMetrics& metrics, FindSource find_source)
    : options_(options),
      filesystem_(filesystem),
      gate_(gate),
      work_(work),
      metrics_(metrics),
      find_source_(std::move(find_source)) {}

std::string WarmMachines::RunDir(const std::string& name) const { return absl::StrCat(options_.warm_dir, "/", name); }

void WarmMachines::EndLeftovers(const std::vector<Hypervisor*>& hypervisors, const std::set<std::string>& of_pods) {
  const absl::StatusOr<std::vector<std::string>> names = filesystem_.ListDirectory(options_.warm_dir);
  if (!names.ok()) {
    if (!absl::IsNotFound(names.status())) LogProblem("look for machines that waited", names.status());
    return;
  }
  for (const std::string& name : *names) {
    if (of_pods.count(name) != 0) continue;
    const absl::StatusOr<FileKind> record = filesystem_.Look(RecordFile(RunDir(name)));
    if (record.ok() && *record == FileKind::kFile && options_.enabled && options_.warm_machines > 0) {
      waiting_before_.push_back(name);
      continue;
    }
    LogProblem("end a machine that an earlier vcd left", Remove(hypervisors, RunDir(name)));
  }
}

void WarmMachines::Adopt(const std::vector<Hypervisor*>& hypervisors) {
  for (const std::string& name : waiting_before_) {
    const absl::Status adopted = AdoptOne(hypervisors, name);
    if (adopted.ok()) continue;
    LogInfo("", absl::StrCat("machine ", name, " of an earlier vcd ends, as it is of no use: ", adopted.message()));
    LogProblem("end a machine that waited", Remove(hypervisors, RunDir(name)));
  }
  MutexLock lock(&mu_);
  TellCountLocked();
}

absl::Status WarmMachines::AdoptOne(const std::vector<Hypervisor*>& hypervisors, const std::string& name) {
  auto found = std::make_unique<WarmMachine>();
  found->name = name;
  found->run_dir = RunDir(name);
  VCD_ASSIGN_OR_RETURN(const std::string json, filesystem_.ReadFile(RecordFile(found->run_dir)));
  VCD_ASSIGN_OR_RETURN(const state::v1::WarmMachine record, DecodeWarmMachine(json));
  found->kind = {record.template_key(), record.template_directory(), record.shared_memory()};
  VCD_ASSIGN_OR_RETURN(const WarmSource source, find_source_(found->kind));
  found->memory_bytes = BytesOf(found->kind, source.memory_bytes);
  VmSpec spec;
  spec.pod_id = name;
  spec.run_dir = found->run_dir;
  spec.config = record.config();
  absl::Status status = absl::FailedPreconditionError("no hypervisor goes on with it");
  for (Hypervisor* hypervisor : hypervisors) {
    if (!hypervisor->capabilities().images) continue;
    absl::StatusOr<std::unique_ptr<VirtualMachine>> machine =
        hypervisor->Adopt(spec, record.vm(), {absl::Now() + kAdoptTime, &shutdown_});
    status = machine.status();
    if (!machine.ok()) continue;
    found->hypervisor = hypervisor;
    found->machine = *std::move(machine);
    const WarmKind kind = found->kind;
    Shelve(std::move(found));
    DropIfGone(kind);
    return absl::OkStatus();
  }
  return status;
}

void WarmMachines::BeginShutdown() {
  std::map<std::string, Shelf> shelves;
  {
    MutexLock lock(&mu_);
    // With the lock: whoever looks at it then shelves nothing afterwards.
    shutdown_.Cancel(absl::UnavailableError("vcd is shutting down"));
    shelves.swap(shelves_);
    wanted_.clear();
    TellCountLocked();
  }
  for (auto& [directory, shelf] : shelves) {
    for (std::unique_ptr<WarmMachine>& machine : shelf.machines) EndLater(std::move(machine));
  }
}

std::unique_ptr<WarmMachine> WarmMachines::Take(const WarmKind& kind) {
  std::unique_ptr<WarmMachine> taken;
  {
    MutexLock lock(&mu_);
    const auto shelf = shelves_.find(kind.template_directory);
    if (shelf != shelves_.end()) {
      std::deque<std::unique_ptr<WarmMachine>>& machines = shelf->second.machines;
      const auto found = std::find_if(machines.begin(), machines.end(), [&kind](const auto& machine) {
        return machine->kind.shared_memory == kind.shared_memory;
      });
      if (found != machines.end()) {
        taken = std::move(*found);
        machines.erase(found);
        TellCountLocked();
      }
    }
  }
  if (options_.warm_machines > 0) {
    metrics_.WarmMachine(taken != nullptr ? WarmMachineEvent::kTaken : WarmMachineEvent::kMissed);
  }
  if (taken != nullptr) taken->machine->OnExit(nullptr);
  return taken;
}

absl::Status WarmMachines::Claim(const WarmMachine& machine) {
  VCD_RETURN_IF_ERROR(filesystem_.RemoveFile(RecordFile(machine.run_dir)));
  return filesystem_.SyncDirectory(machine.run_dir);
}

void WarmMachines::End(std::unique_ptr<WarmMachine> machine) {
  if (machine->machine != nullptr) metrics_.WarmMachine(WarmMachineEvent::kEnded);
  // First, so that nobody adopts what is about to end.
  LogProblem("forget a machine that waited", filesystem_.RemoveFile(RecordFile(machine->run_dir)));
  if (machine->machine != nullptr) {
    machine->machine->OnExit(nullptr);
    LogProblem("end a machine that waited", machine->machine->Stop(StopMode::kForce, CleanUpContext()));
    machine->machine.reset();
  }
  LogProblem("end a machine that waited", Remove({machine->hypervisor}, machine->run_dir));
}

void WarmMachines::EndLater(std::unique_ptr<WarmMachine> machine) {
  work_.Post(
      [this, held = std::make_shared<std::unique_ptr<WarmMachine>>(std::move(machine))] { End(std::move(*held)); });
}

absl::Status WarmMachines::Remove(const std::vector<Hypervisor*>& hypervisors, const std::string& run_dir) {
  for (Hypervisor* hypervisor : hypervisors) VCD_RETURN_IF_ERROR(hypervisor->Reap(run_dir, CleanUpContext()));
  return filesystem_.RemoveTree(run_dir);
}

absl::Status WarmMachines::RemoveDirectory(const std::string& name, const std::string& console_dir) {
  const std::string run_dir = RunDir(name);
  // A console that is lost is no reason to keep the rest.
  LogProblem("keep the console of a pod", MoveConsole(run_dir, console_dir));
  return filesystem_.RemoveTree(run_dir);
}

void WarmMachines::Want(const WarmKind& kind) {
  if (options_.warm_machines == 0) return;
  {
    MutexLock lock(&mu_);
    if (!shutdown_.status().ok()) return;
    Shelf& shelf = shelves_[kind.template_directory];
    shelf.wanted_at = absl::Now();
    if (shelf.wanted_at < shelf.retry_at) return;
    // What is wanted last counts.
    const auto same = std::find_if(wanted_.begin(), wanted_.end(), [&kind](const WarmKind& other) {
      return other.template_directory == kind.template_directory;
    });
    if (same != wanted_.end()) wanted_.erase(same);
    wanted_.push_back(kind);
  }
  MakeNext();
}

void WarmMachines::MakeNext() {
  WarmKind kind;
  {
    MutexLock lock(&mu_);
    if (making_ || wanted_.empty() || !shutdown_.status().ok()) return;
    making_ = true;
    kind = wanted_.front();
    wanted_.pop_front();
  }
  work_.Begin();
  BootNeed need;
  need.memory_bytes = BytesOf(kind, 0);
  need.clone = true;
  // Its guest does not run yet.
  need.typical = false;
  gate_.EnterIdle(need, [this, kind](absl::StatusOr<std::unique_ptr<BootGate::Place>> entered) {
    // Without room nothing is made until a pod wants one again.
    std::shared_ptr<BootGate::Place> place = entered.ok() ? *std::move(entered) : nullptr;
    work_.Post([this, kind, place = std::move(place)]() mutable {
      if (place != nullptr) Make(kind);
      place.reset();
      {
        MutexLock lock(&mu_);
        making_ = false;
      }
      MakeNext();
    });
    work_.End();
  });
}

void WarmMachines::Make(const WarmKind& kind) {
  const absl::StatusOr<WarmSource> source = find_source_(kind);
  if (!source.ok()) return Drop(kind.template_directory);
  auto made = std::make_unique<WarmMachine>();
  made->name = kNamePrefix + GenerateId();
  made->run_dir = RunDir(made->name);
  made->kind = kind;
  made->memory_bytes = BytesOf(kind, source->memory_bytes);
  made->hypervisor = source->hypervisor;
  if (!MakeRoom(kind, made->memory_bytes)) return;
  const absl::Status status = Boot(*source, *made);
  if (!status.ok()) {
    if (shutdown_.status().ok()) {
      metrics_.WarmMachine(WarmMachineEvent::kFailed);
      LogWarning(
          "", absl::StrCat("no machine waits of template ", kind.template_key.substr(0, 12), ": ", status.message()));
    }
    // The next pod of that kind has it tried again.
    return End(std::move(made));
  }
  metrics_.WarmMachine(WarmMachineEvent::kMade);
  Shelve(std::move(made));
  if (DropIfGone(kind)) return;
  MutexLock lock(&mu_);
  const auto shelf = shelves_.find(kind.template_directory);
  if (shelf == shelves_.end() || shelf->second.machines.size() >= options_.warm_machines) return;
  const bool wanted = std::any_of(wanted_.begin(), wanted_.end(), [&kind](const WarmKind& other) {
    return other.template_directory == kind.template_directory;
  });
  if (!wanted) wanted_.push_back(kind);
}

absl::Status WarmMachines::Boot(const WarmSource& source, WarmMachine& made) {
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(options_.warm_dir));
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(made.run_dir));
  VmSpec spec;
  spec.pod_id = made.name;
  spec.run_dir = made.run_dir;
  spec.config = source.config;
  spec.shared_memory = made.kind.shared_memory;
  spec.image_dir = made.kind.template_directory;
  spec.image_shared = true;
  spec.paused = true;
  VCD_ASSIGN_OR_RETURN(made.machine, source.hypervisor->Boot(spec, {absl::Now() + options_.clone_timeout, &shutdown_}));
  state::v1::WarmMachine record;
  record.set_template_key(made.kind.template_key);
  record.set_template_directory(made.kind.template_directory);
  record.set_shared_memory(made.kind.shared_memory);
  *record.mutable_config() = source.config;
  *record.mutable_vm() = made.machine->Record();
  VCD_ASSIGN_OR_RETURN(const std::string json, EncodeWarmMachine(record));
  return filesystem_.ReplaceFile(RecordFile(made.run_dir), json);
}

bool WarmMachines::MakeRoom(const WarmKind& kind, uint64_t bytes) {
  std::vector<std::unique_ptr<WarmMachine>> ended;
  bool room = true;
  {
    MutexLock lock(&mu_);
    const auto give_up_oldest = [&ended](Shelf& shelf) {
      ended.push_back(std::move(shelf.machines.front()));
      shelf.machines.pop_front();
    };
    Shelf& own = shelves_[kind.template_directory];
    if (own.machines.size() >= options_.warm_machines) {
      const bool has_kind = std::any_of(own.machines.begin(), own.machines.end(), [&kind](const auto& machine) {
        return machine->kind.shared_memory == kind.shared_memory;
      });
      if (has_kind) return false;
      give_up_oldest(own);
    }
    while (room && BytesLocked() + bytes > options_.max_memory_bytes) {
      auto victim = shelves_.end();
      for (auto it = shelves_.begin(); it != shelves_.end(); ++it) {
        if (it->second.machines.empty() || it->first == kind.template_directory) continue;
        if (victim == shelves_.end() || it->second.wanted_at < victim->second.wanted_at) victim = it;
      }
      room = victim != shelves_.end();
      if (room) give_up_oldest(victim->second);
    }
    TellCountLocked();
  }
  for (std::unique_ptr<WarmMachine>& machine : ended) End(std::move(machine));
  return room;
}

void WarmMachines::Shelve(std::unique_ptr<WarmMachine> machine) {
  {
    MutexLock lock(&mu_);
    Shelf& shelf = shelves_[machine->kind.template_directory];
    // An earlier daemon may have been allowed more.
    const bool room = shelf.machines.size() < options_.warm_machines &&
                      BytesLocked() + machine->memory_bytes <= options_.max_memory_bytes;
    if (shutdown_.status().ok() && room) {
      // Nobody can take it before this is set, and it waits for no callback, as there was none before.
      machine->machine->OnExit([this, name = machine->name](const std::string& reason) { Died(name, reason); });
      shelf.machines.push_back(std::move(machine));
      return TellCountLocked();
    }
  }
  End(std::move(machine));
}

bool WarmMachines::DropIfGone(const WarmKind& kind) {
  if (find_source_(kind).ok()) return false;
  Drop(kind.template_directory);
  return true;
}

void WarmMachines::Died(const std::string& name, const std::string& reason) {
  MutexLock lock(&mu_);
  for (auto& [directory, shelf] : shelves_) {
    const auto found = std::find_if(shelf.machines.begin(), shelf.machines.end(),
                                    [&name](const auto& machine) { return machine->name == name; });
    if (found == shelf.machines.end()) continue;
    LogWarning("", absl::StrCat("a machine that waited has ended: ", reason));
    // With the lock: whoever finds it gone, as at the end of all, waits for this too.
    EndLater(std::move(*found));
    shelf.machines.erase(found);
    return TellCountLocked();
  }
}

void WarmMachines::OfNoUse(const std::string& template_directory) {
  std::deque<std::unique_ptr<WarmMachine>> others;
  {
    MutexLock lock(&mu_);
    Shelf& shelf = shelves_[template_directory];
    shelf.retry_at = absl::Now() + options_.retry_after;
    others.swap(shelf.machines);
    TellCountLocked();
  }
  for (std::unique_ptr<WarmMachine>& machine : others) EndLater(std::move(machine));
}

void WarmMachines::Drop(const std::string& template_directory) {
  Shelf dropped;
  {
    MutexLock lock(&mu_);
    const auto found = shelves_.find(template_directory);
    if (found == shelves_.end()) return;
    dropped = std::move(found->second);
    shelves_.erase(found);
    TellCountLocked();
  }
  for (std::unique_ptr<WarmMachine>& machine : dropped.machines) EndLater(std::move(machine));
}

size_t WarmMachines::Count(const std::string& template_directory) const {
  MutexLock lock(&mu_);
  const auto found = shelves_.find(template_directory);
  return found == shelves_.end() ? 0 : found->second.machines.size();
}

size_t WarmMachines::CountLocked() const {
  size_t count = 0;
  for (const auto& [directory, shelf] : shelves_) count += shelf.machines.size();
  return count;
}

uint64_t WarmMachines::BytesLocked() const {
  uint64_t bytes = 0;
  for (const auto& [directory, shelf] : shelves_) {
    for (const auto& machine : shelf.machines) bytes += machine->memory_bytes;
  }
  return bytes;
}

void WarmMachines::TellCountLocked() { metrics_.WarmMachinesWait(CountLocked()); }

}  // namespace vcd
