// SPDX-License-Identifier: Apache-2.0
// Interfaces of the machine, and connections to its ports.
#include <utility>

#include "guest/agent/agent.h"
#include "guest/agent/launch.h"

namespace vcd::guest {
namespace {

// Each is a process; so many fit into the smallest guest.
constexpr size_t kMaxDials = 256;

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
  Outcome checked = CheckId("process", request.process_id());
  if (checked.ok() && !request.command().has_dial()) checked = Invalid("a program is in a container: which?");
  if (checked.ok()) checked = CheckCommand(request.command());
  if (checked.ok() && dials_.count(request.process_id()) != 0) {
    checked =
        Outcome(ErrorCode::ERROR_CODE_EXISTS, "the guest has a connection \"" + request.process_id() + "\" already");
  }
  if (checked.ok() && dials_.size() >= kMaxDials) {
    checked = Outcome(ErrorCode::ERROR_CODE_SYSTEM,
                      "the guest has " + std::to_string(kMaxDials) + " connections already, as many as there may be");
  }
  if (!checked.ok()) return Answer(ticket, checked);
  const Restrictions none;
  auto launched = Launch({.command = request.command(),
                          .restrictions = none,
                          .settings = ::vcd::agent::v1::LinuxSettings::default_instance(),
                          .isolate = false});
  if (!launched.ok()) return Answer(ticket, launched.outcome());
  AddExec(ticket, {"", request.process_id()}, std::move(*launched), &dials_);
}

}  // namespace vcd::guest
