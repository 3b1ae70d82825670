// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETWORK_INTERFACE_NAMES_H_
#define VCD_CORE_NETWORK_INTERFACE_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// The networks of a configuration, each with the name of its interface: those that have none get the first of `eth0`,
// `eth1`, … that is free, in their order. No networks at all are one without a name.
std::vector<v1::CniNetwork> NamedNetworks(const v1::NetworkConfig& config);

// kInvalidArgument naming the field for what cannot be the name of an interface (netdevice(7)), or is the loopback
// one's.
absl::Status CheckInterfaceName(const std::string& field, const std::string& name);

}  // namespace vcd

#endif  // VCD_CORE_NETWORK_INTERFACE_NAMES_H_
