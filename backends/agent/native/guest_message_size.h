// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_GUEST_MESSAGE_SIZE_H_
#define VCD_BACKENDS_AGENT_NATIVE_GUEST_MESSAGE_SIZE_H_

#include <string_view>

#include "absl/status/status.h"

namespace vcd {

// Whether a GuestMessage may be parsed. An empty entry of a table takes two bytes on the wire and a hundred and more in
// memory, so a frame of bounded length alone does not bound what a hostile guest can make vcd hold. Looks at the bytes
// only. kInvalidArgument, which names the table that has too many entries.
absl::Status CheckGuestMessageSize(std::string_view body);

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_GUEST_MESSAGE_SIZE_H_
