// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETWORK_INTERFACE_NAMES_H_
#define VCD_CORE_NETWORK_INTERFACE_NAMES_H_

#include <vector>

#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// The networks of a configuration, each with the name of its interface: those that have none get the first of `eth0`,
// `eth1`, … that is free, in their order. No networks at all are one without a name.
std::vector<v1::CniNetwork> NamedNetworks(const v1::NetworkConfig& config);

}  // namespace vcd

#endif  // VCD_CORE_NETWORK_INTERFACE_NAMES_H_
