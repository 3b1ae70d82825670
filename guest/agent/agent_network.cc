// SPDX-License-Identifier: Apache-2.0
// Interfaces of the machine, and connections to its ports.
#include <sys/sysinfo.h>

#include <utility>

#include "guest/agent/agent.h"

namespace vcd::guest {
namespace {

// Asked for each time: memory may be added to a machine that runs.
uint64_t MachineMemory() {
  struct sysinfo machine {};
  return ::sysinfo(&machine) == 0 ? uint64_t{machine.totalram} * machine.mem_unit : 0;
}

}  // namespace

void Agent::SetInterface(const Ticket& ticket, const ::vcd::agent::v1::SetInterface& request) {
  if (!options_.set_interfaces) {
    return Answer(ticket, Outcome(ErrorCode::ERROR_CODE_SYSTEM, "the network of this machine is not the agent's"));
  }
  interfaces_.Set(request, [this, ticket](const Outcome& outcome) { Answer(ticket, outcome); });
}

Outcome Agent::RemoveInterface(const ::vcd::agent::v1::RemoveInterface& request) {
  return options_.set_interfaces ? interfaces_.Remove(request) : Outcome();
}

void Agent::Dial(const Ticket& ticket, const ::vcd::agent::v1::Exec& request) {
  if (const Outcome checked = CheckDial(request); !checked.ok()) return Answer(ticket, checked);
  DialEntry& dial = dials_[request.process_id()];
  dial.ticket = ticket;
  dial.connection =
      std::make_unique<Connection>(loop_, ProcessName{"", request.process_id()}, request.command().dial(),
                                   MakeListener(), [this](Connection* connection) { OnDialChanged(*connection); });
  if (dial.connection->failed()) PostSettle();
}

Outcome Agent::CheckDial(const ::vcd::agent::v1::Exec& request) const {
  if (Outcome checked = CheckId("process", request.process_id()); !checked.ok()) return checked;
  if (!request.command().has_dial()) return Invalid("a program is in a container: which?");
  if (Outcome checked = CheckDialCommand(request.command()); !checked.ok()) return checked;
  if (dials_.count(request.process_id()) != 0) {
    return Outcome(ErrorCode::ERROR_CODE_EXISTS, "the guest has a connection \"" + request.process_id() + "\" already");
  }
  const uint64_t memory = MachineMemory();
  const size_t most = MostConnections(memory);
  if (dials_.size() < most) return Outcome();
  return Outcome(ErrorCode::ERROR_CODE_EXHAUSTED,
                 "the pod has " + std::to_string(most) + " forwarded connections, as many as it may have with " +
                     std::to_string(memory >> 20) + " MiB of memory: end some of them first");
}

void Agent::OnDialChanged(const Connection& connection) {
  DialEntry& dial = dials_.at(connection.name().process_id);
  if (!connection.connected()) return PostSettle();
  dial.announced = true;
  Answer(dial.ticket, Outcome(), connection.pid());
  // The peer may have spoken before.
  PumpOutput();
}

void Agent::CancelDial(const std::string& process_id) {
  const auto found = dials_.find(process_id);
  if (found == dials_.end()) return;
  const DialEntry cancelled = std::move(found->second);
  dials_.erase(found);
  Answer(cancelled.ticket, Outcome(ErrorCode::ERROR_CODE_WRONG_STATE, "it was ended before it stood"));
}

void Agent::SettleDials() {
  for (auto dial = dials_.begin(); dial != dials_.end();) {
    if (!dial->second.connection->failed()) {
      ++dial;
      continue;
    }
    const DialEntry failed = std::move(dial->second);
    dial = dials_.erase(dial);
    Answer(failed.ticket, failed.connection->failure());
  }
}

}  // namespace vcd::guest
