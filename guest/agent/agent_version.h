// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_AGENT_VERSION_H_
#define VCD_GUEST_AGENT_AGENT_VERSION_H_

namespace vcd::guest {

// What HELLO_ACK tells of this program.
inline constexpr char kAgentVersion[] = "0.1.0";

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_AGENT_VERSION_H_
