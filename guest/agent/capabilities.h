// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CAPABILITIES_H_
#define VCD_GUEST_AGENT_CAPABILITIES_H_

#include <cstdint>

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
};

// What containers have had by default since Docker: 14 capabilities that do not reach beyond the container.
CapabilitySets DefaultCapabilities();

// Names are "CAP_CHOWN" or "CHOWN" in either case; "ALL" is every one. Unknown names are ERROR_CODE_INVALID.
OutcomeOr<CapabilitySets> ParseCapabilities(const ::vcd::agent::v1::Command::Capabilities& capabilities);

// Takes everything beyond `sets.bounding` from the bounding set of the calling process, for good.
Outcome DropBoundingCapabilities(const CapabilitySets& sets);

// Gives the calling process the other sets. Call after the change of user, with PR_SET_KEEPCAPS set before it.
Outcome ApplyCapabilities(const CapabilitySets& sets);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CAPABILITIES_H_
