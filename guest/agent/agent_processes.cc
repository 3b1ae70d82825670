// SPDX-License-Identifier: Apache-2.0
// What processes do, and how they and their containers end.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <utility>

#include "guest/agent/agent.h"
#include "guest/agent/namespace_members.h"
#include "guest/agent/process_table.h"

namespace vcd::guest {
namespace {

// How long Shutdown waits for processes that SIGKILL does not end at once, such as one that waits for a dead share.
constexpr std::chrono::seconds kShutdownDeadline{5};

// How often orphans of a container that is being removed are looked for.
constexpr std::chrono::milliseconds kOrphanInterval{10};

// How long the last reply may take to leave.
constexpr std::chrono::seconds kFarewellDeadline{1};

}  // namespace

std::unique_ptr<Process> Agent::MakeProcess(ProcessName name, LaunchedProcess launched) {
  return std::make_unique<Process>(loop_, std::move(name), std::move(launched), MakeListener(),
                                   [this](Process* process) { OnLaunchChanged(process); });
}

StreamOwner::Listener Agent::MakeListener() {
  return {
      .output_changed = [this](StreamOwner*) { PumpOutput(); },
      .input_taken =
          [this](StreamOwner* process) {
            if (!greeted_) return;
            ::vcd::agent::v1::GuestMessage message;
            auto* ack = message.mutable_input_ack();
            ack->set_container_id(process->name().container_id);
            ack->set_process_id(process->name().process_id);
            ack->set_offset(process->stdin_pipe().taken());
            Send(message);
          },
  };
}

void Agent::OnLaunchChanged(Process* process) {
  Entry* const entry = FindEntry(process->name().container_id, process->name().process_id);
  // A container of that name may have taken the place of one that is going away, for whose processes nobody waits.
  if (entry == nullptr || entry->process.get() != process || entry->abandoned) return;
  if (process->name().process_id.empty()) {
    OnFirstProcessLaunch(entry);
  } else {
    OnExecLaunch(entry);
  }
}

void Agent::OnFirstProcessLaunch(Entry* entry) {
  Process* const process = entry->process.get();
  const LaunchStatus::Stage stage = process->launch().stage();
  if (!entry->announced) {
    if (stage == LaunchStatus::Stage::kHeld) {
      entry->failure = ConfineDevices(process->name().container_id);
      if (!entry->failure.ok()) {
        entry->abandoned = true;
        (void)process->Signal(SIGKILL);
        return PostSettle();
      }
      entry->announced = true;
      Answer(entry->create_ticket, Outcome(), process->pid());
    } else if (stage != LaunchStatus::Stage::kSettingUp) {
      // Answered when it is gone, so that its name and its disk are free by then.
      entry->abandoned = true;
      entry->failure = process->launch().outcome();
      PostSettle();
    }
  } else if (process->told_to_go() && stage == LaunchStatus::Stage::kRunning) {
    Answer(std::exchange(entry->start_ticket, Ticket()), Outcome(), process->pid());
  } else if (process->told_to_go() && stage == LaunchStatus::Stage::kFailed) {
    Answer(std::exchange(entry->start_ticket, Ticket()), process->launch().outcome());
  }
}

void Agent::OnExecLaunch(Entry* entry) {
  Process* const process = entry->process.get();
  const std::string& container_id = process->name().container_id;
  switch (process->launch().stage()) {
    case LaunchStatus::Stage::kRunning:
      entry->announced = true;
      Answer(entry->create_ticket, Outcome(), process->pid());
      // It may have written, even ended, before it was announced.
      PumpOutput();
      break;
    case LaunchStatus::Stage::kFailed:
      // Answered when it is gone, so that its name and its disk are free by then.
      entry->abandoned = true;
      entry->failure = process->launch().outcome();
      // What it says of the kernel's refusal to join what is not there any more explains nothing.
      if (entry->failure.code() == ErrorCode::ERROR_CODE_SYSTEM && IsEnding(*FindContainer(container_id))) {
        entry->failure = DoesNotRun(container_id);
      }
      PostSettle();
      break;
    default:
      break;
  }
}

// A new connection begins. Whoever asked for what is still being made will never see the answer, and the new host does
// not know of it: as if it had not been asked for.
void Agent::AbandonUnannounced() {
  for (const WaitingCreate& waiting : waiting_) loop_->Cancel(waiting.deadline);
  waiting_.clear();
  interfaces_.StopWaiting();
  for (auto& [id, container] : containers_) {
    container.init.abandoned = container.init.abandoned || !container.init.announced;
    AbandonUnannounced(&container.execs);
  }
  for (auto dial = dials_.begin(); dial != dials_.end();) {
    dial = dial->second.announced ? std::next(dial) : dials_.erase(dial);
  }
  // Now and not later, so that their names are free for the host's next request.
  Settle();
}

void Agent::AbandonUnannounced(std::map<std::string, Entry>* execs) {
  for (auto& [id, entry] : *execs) {
    if (entry.announced || entry.abandoned) continue;
    entry.abandoned = true;
    (void)entry.process->Signal(SIGKILL);
  }
}

void Agent::OnReaped(pid_t pid, int wait_status) {
  if (shared_pids_.OnReaped(pid)) return;
  const auto reap = [this, pid, wait_status](RunningContainer* container) {
    const auto take = [&](Process* process) {
      if (process->pid() != pid || process->ended()) return false;
      process->OnReaped(wait_status, EndedForWantOfMemory(*process, wait_status, container));
      return true;
    };
    if (take(container->init.process.get())) {
      // In a pid namespace of its own the kernel does this.
      if (!container->mount_namespace.empty()) Kill(container);
      return true;
    }
    for (auto& [id, entry] : container->execs) {
      if (take(entry.process.get())) return true;
    }
    return false;
  };
  bool found = false;
  for (auto& [id, container] : containers_) found = found || reap(&container);
  for (RunningContainer& container : dying_) found = found || reap(&container);
  if (found) PostSettle();
}

void Agent::Kill(RunningContainer* container) {
  (void)container->cgroup.Signal(SIGKILL);
  const auto kill = [this](Process* process) {
    (void)process->Signal(SIGKILL);
    // Without a pid namespace of its own a process's children do not go with it; most are in its session's group.
    if (!options_.isolate && !process->ended()) ::kill(-process->pid(), SIGKILL);
  };
  kill(container->init.process.get());
  for (auto& [id, entry] : container->execs) kill(entry.process.get());
  if (container->cgroup.valid()) return;
  for (const pid_t pid : ProcessesInMountNamespace(container->mount_namespace)) ::kill(pid, SIGKILL);
}

// Whether nothing is left of it. Where it has a pid namespace of its own, that is so once its first process is gone.
bool Agent::IsEmpty(const RunningContainer& container) const {
  if (!container.init.process->ended()) return false;
  for (const auto& [id, entry] : container.execs) {
    if (!entry.process->ended()) return false;
  }
  if (container.mount_namespace.empty()) return true;
  return container.cgroup.valid() ? container.cgroup.IsEmpty()
                                  : ProcessesInMountNamespace(container.mount_namespace).empty();
}

bool Agent::IsEnding(const RunningContainer& container) {
  return container.init.process->ended() || IsExiting("/proc", container.init.process->pid());
}

void Agent::KillAll() {
  for (auto& [id, container] : containers_) Kill(&container);
  for (RunningContainer& container : dying_) Kill(&container);
  shared_pids_.Kill();
}

void Agent::BeginRemoval(const std::string& container_id, const Ticket& ticket, const Outcome& outcome) {
  const auto found = containers_.find(container_id);
  found->second.remove_ticket = ticket;
  found->second.remove_outcome = outcome;
  const Outcome removed(ErrorCode::ERROR_CODE_WRONG_STATE, "container \"" + container_id + "\" was removed meanwhile");
  const auto answer_waiting = [this, &removed](Entry* entry) {
    if (!entry->announced) Answer(entry->create_ticket, entry->abandoned ? entry->failure : removed);
    Answer(std::exchange(entry->start_ticket, Ticket()), removed);
  };
  answer_waiting(&found->second.init);
  for (auto& [id, entry] : found->second.execs) answer_waiting(&entry);
  dying_.push_back(std::move(found->second));
  containers_.erase(found);
  Kill(&dying_.back());
  PostSettle();
}

void Agent::PostSettle() {
  if (std::exchange(settle_posted_, true)) return;
  loop_->After(std::chrono::milliseconds(0), [this] {
    settle_posted_ = false;
    Settle();
  });
}

void Agent::Settle() {
  for (auto next = containers_.begin(); next != containers_.end();) {
    auto& [id, container] = *next++;  // Removal takes it out of the map.
    if (container.init.abandoned) {
      const Ticket ticket = std::exchange(container.init.create_ticket, Ticket());
      BeginRemoval(std::string(id), ticket, Outcome(container.init.failure));
      continue;
    }
    SettleExecs(&container.execs);
  }
  SettleDials();
  for (auto container = dying_.begin(); container != dying_.end();) {
    if (!IsEmpty(*container)) {
      // Of a process that was nobody's child here no end is told.
      if (container->init.process->ended() && !container->mount_namespace.empty()) {
        Kill(&*container);
        loop_->After(kOrphanInterval, [this] { PostSettle(); });
      }
      ++container;
      continue;
    }
    const Ticket ticket = container->remove_ticket;
    const Outcome outcome = container->remove_outcome;
    container = dying_.erase(container);  // Unmounts what nobody else uses: the host may detach it after the answer.
    Answer(ticket, outcome);
  }
  if (shutting_down_ && dying_.empty()) FinishShutdown();
}

void Agent::SettleExecs(std::map<std::string, Entry>* execs) {
  for (auto exec = execs->begin(); exec != execs->end();) {
    if (!exec->second.abandoned || !exec->second.process->ended()) {
      ++exec;
      continue;
    }
    const Entry failed = std::move(exec->second);
    exec = execs->erase(exec);
    Answer(failed.create_ticket, failed.failure);
  }
}

void Agent::Shutdown(const Ticket& ticket) {
  shutdown_ticket_ = ticket;
  if (shutting_down_) {
    if (shut_down_) Answer(ticket, Outcome());
    return;
  }
  shutting_down_ = true;
  for (const WaitingCreate& waiting : waiting_) loop_->Cancel(waiting.deadline);
  waiting_.clear();
  while (!containers_.empty()) BeginRemoval(std::string(containers_.begin()->first), Ticket());
  PostSettle();
  loop_->After(kShutdownDeadline, [this] { FinishShutdown(); });
}

void Agent::FinishShutdown() {
  if (std::exchange(shut_down_, true)) return;
  ::sync();
  Answer(shutdown_ticket_, Outcome());
  loop_->After(kFarewellDeadline, [this] {
    if (!std::exchange(powering_off_, true)) options_.power_off();
  });
  OnLinkWritable();
}

}  // namespace vcd::guest
