// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_INTERFACE_CHECK_H_
#define VCD_GUEST_AGENT_INTERFACE_CHECK_H_

#include <string>

#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// Whether the request can be meant: lengths of addresses and prefixes, one family within a route, a name that the
// kernel takes. ERROR_CODE_INVALID naming what is wrong.
Outcome CheckInterface(const ::vcd::agent::v1::SetInterface& request);

Outcome CheckMac(const std::string& mac);

// For messages: 4 or 16 bytes in network order, and 6 bytes.
std::string AddressText(const std::string& address);
std::string MacText(const std::string& mac);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_INTERFACE_CHECK_H_
