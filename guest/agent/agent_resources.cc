// SPDX-License-Identifier: Apache-2.0
// What containers may use and do use, and what the machine is short of.
#include <signal.h>
#include <sys/wait.h>

#include <utility>

#include "core/link/link_limits.h"
#include "guest/agent/agent.h"
#include "guest/agent/cgroup_limits.h"
#include "guest/agent/container_figures.h"
#include "guest/agent/device_rules.h"
#include "guest/agent/namespace_members.h"
#include "guest/agent/process_table.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::GuestMessage;

}  // namespace

OutcomeOr<Cgroup> Agent::MakeCgroup(const ::vcd::agent::v1::CreateContainer& request) {
  const bool limited = request.resources().files_size() > 0;
  if (options_.cgroup_root.empty()) {
    if (!limited) return Cgroup();
    return Outcome(ErrorCode::ERROR_CODE_SYSTEM,
                   "limits: the machine has no control groups of version 2, and so no controllers");
  }
  // The number keeps a new container out of the way of one of its name that is still going away.
  auto cgroup =
      Cgroup::Create(options_.cgroup_root + "/" + std::to_string(++last_serial_) + "-" + request.container_id());
  if (!cgroup.ok()) return cgroup;
  if (Outcome limits = ApplyLimits(cgroup->path(), request.resources()); !limits.ok()) return limits;
  return cgroup;
}

Outcome Agent::ConfineDevices(const std::string& container_id) {
  RunningContainer& container = containers_.at(container_id);
  if (!container.cgroup.valid()) return Outcome();
  const UniqueFd rules = std::move(container.device_rules);
  return ApplyDeviceRules(rules, container.cgroup);
}

void Agent::WatchMemory(const std::string& container_id, RunningContainer* container) {
  if (!container->cgroup.valid()) return;
  container->oom = std::make_unique<OomWatch>(loop_, container->cgroup.path(), [this, container_id](uint64_t kills) {
    GuestMessage message;
    auto* oom = message.mutable_event()->mutable_oom();
    oom->set_container_id(container_id);
    oom->set_kills(kills);
    if (greeted_) Send(message);
  });
}

void Agent::TellPressure(double some_percent) {
  GuestMessage message;
  message.mutable_event()->mutable_memory_pressure()->set_some_percent(some_percent);
  if (greeted_) Send(message);
}

bool Agent::EndedForWantOfMemory(const Process& process, int wait_status, RunningContainer* container) {
  if (!WIFSIGNALED(wait_status) || WTERMSIG(wait_status) != SIGKILL || process.told_to_die() ||
      container->oom == nullptr) {
    return false;
  }
  // When the first process of a pid namespace ends, the kernel kills all others, and has them reaped before it. Those
  // must not be taken for the one that it ended for want of memory.
  const Process& first = *container->init.process;
  const bool goes_with_first =
      &process != &first && !first.ended() && !first.told_to_die() && IsExiting("/proc", first.pid());
  return container->oom->Claim(/*spare_one=*/goes_with_first);
}

Outcome Agent::UpdateResources(const ::vcd::agent::v1::UpdateResources& request) {
  RunningContainer* const container = FindContainer(request.container_id());
  if (container == nullptr) return NotFound("container \"" + request.container_id() + "\"");
  if (container->cgroup.valid()) return ApplyLimits(container->cgroup.path(), request.resources());
  return Outcome(ErrorCode::ERROR_CODE_SYSTEM, "limits: the machine has no control groups of version 2");
}

void Agent::GetStats(const Ticket& ticket, const ::vcd::agent::v1::GetStats& request) {
  const std::string& id = request.container_id();
  if (!id.empty() && FindContainer(id) == nullptr) return Answer(ticket, NotFound("container \"" + id + "\""));
  ::vcd::agent::v1::Reply reply;
  for (auto& [container_id, container] : containers_) {
    if (!id.empty() && id != container_id) continue;
    auto* stats = reply.mutable_stats()->add_containers();
    stats->set_container_id(container_id);
    if (container.cgroup.valid()) ReadContainerFigures(container.cgroup.path(), stats);
  }
  ReadGuestFigures("/proc", reply.mutable_stats());
  Answer(ticket, std::move(reply));
}

void Agent::ListProcesses(const Ticket& ticket, const ::vcd::agent::v1::ListProcesses& request) {
  RunningContainer* const container = FindContainer(request.container_id());
  if (container == nullptr) return Answer(ticket, NotFound("container \"" + request.container_id() + "\""));
  ProcessTableRequest table;
  std::vector<pid_t> known;
  const auto note = [&](const Process& process) {
    if (process.ended()) return;
    known.push_back(process.pid());
    table.process_ids[process.pid()] = process.name().process_id;
  };
  note(*container->init.process);
  for (const auto& [id, entry] : container->execs) note(*entry.process);
  if (container->cgroup.valid()) {
    table.pids = container->cgroup.Pids();
  } else if (!container->mount_namespace.empty()) {
    table.pids = ProcessesInMountNamespace(container->mount_namespace);
  } else {
    table.pids = FindDescendants(table.proc, known);
  }
  if (!container->init.process->ended()) table.passwd = ReadContainerPasswd(container->init.process->pid());
  ::vcd::agent::v1::Reply reply;
  *reply.mutable_process_list() = ListProcessTable(table);
  Answer(ticket, std::move(reply));
}

}  // namespace vcd::guest
