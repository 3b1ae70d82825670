// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_INTERFACE_MESSAGES_H_
#define VCD_BACKENDS_AGENT_NATIVE_INTERFACE_MESSAGES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/agent/agent.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// What core says of networks in the words of the agent protocol, in which addresses are bytes. Pure functions.
namespace vcd {

// kInvalidArgument (INVALID_FIELD) naming the field that is no address, prefix or scope. Of destinations only what the
// prefix covers is kept.
absl::StatusOr<agent::v1::SetInterface> ToAgentInterface(const v1::PodInterface& interface);

// The six bytes of `02:00:00:00:00:01`. kInvalidArgument naming `field`.
absl::StatusOr<std::string> MacBytes(const std::string& field, const std::string& text);

// OK, or kInvalidArgument (INVALID_FIELD) for an address that is not numeric, and port 0.
absl::Status CheckDial(const GuestDial& dial);

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_INTERFACE_MESSAGES_H_
