// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CAPABILITIES_H_
#define VCD_GUEST_AGENT_CAPABILITIES_H_

#include <cstdint>
#include <string>

#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// Bit n of a set is capability number n.
struct CapabilitySets {
  uint64_t bounding = 0;
  uint64_t effective = 0;
  uint64_t inheritable = 0;
  uint64_t permitted = 0;
  uint64_t ambient = 0;

  uint64_t All() const { return bounding | effective | inheritable | permitted | ambient; }
};

// What containers have had by default since Docker: 14 capabilities that do not reach beyond the container.
CapabilitySets DefaultCapabilities();

// Names are "CAP_CHOWN" or "CHOWN" in either case; "ALL" is every one. Unknown names are ERROR_CODE_INVALID.
OutcomeOr<CapabilitySets> ParseCapabilities(const ::vcd::agent::v1::Command::Capabilities& capabilities);

// "CAP_CHOWN", of the lowest bit in `set`.
std::string CapabilityName(uint64_t set);

// Takes everything beyond `sets.bounding` from the bounding set of the calling process, for good.
Outcome DropBoundingCapabilities(const CapabilitySets& sets);

// Gives the calling process the other sets. Call after the change of user, with PR_SET_KEEPCAPS set before it.
// `kept_until_exec` stays permitted and effective too: execve(2) computes what a program gets out of the other sets and
// its file, so the program has none of it.
Outcome ApplyCapabilities(const CapabilitySets& sets, uint64_t kept_until_exec = 0);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CAPABILITIES_H_
