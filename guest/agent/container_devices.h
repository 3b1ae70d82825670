// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CONTAINER_DEVICES_H_
#define VCD_GUEST_AGENT_CONTAINER_DEVICES_H_

#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// What is in a container's /dev. The calling process sees the container's file system, and has umask 0.
namespace vcd::guest {

// The nodes and links that every program may count on.
Outcome MakeStandardDevices();

// Those that were asked for, below /dev. They are devices of the guest, whoever made the rest of /dev; one of the same
// name gives way.
Outcome MakeDeviceNodes(const ::vcd::agent::v1::LinuxSettings& settings);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CONTAINER_DEVICES_H_
