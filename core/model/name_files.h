// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_NAME_FILES_H_
#define VCD_CORE_MODEL_NAME_FILES_H_

#include <string>

#include "proto/vcd/v1/network.pb.h"
#include "proto/vcd/v1/pod.pb.h"

// The files by which a container's programs look names up, out of a configuration that was checked and what the pod's
// network says.
namespace vcd {

// Content of /etc/resolv.conf: what the pod says of name servers, or else its network; empty when neither does, which
// leaves it to the root file systems.
std::string ResolvConf(const v1::PodConfig& config, const v1::NetworkStatus& network);

// Content of /etc/hosts: localhost, the pod's own name, and its aliases. The name is the pod's first address; that of
// a pod without one is one of the loopback interface.
std::string Hosts(const v1::PodConfig& config, const v1::NetworkStatus& network);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_NAME_FILES_H_
