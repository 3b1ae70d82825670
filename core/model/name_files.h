// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_NAME_FILES_H_
#define VCD_CORE_MODEL_NAME_FILES_H_

#include <string>

#include "proto/vcd/v1/pod.pb.h"

// The files by which a container's programs look names up, out of a configuration that was checked.
namespace vcd {

// Content of /etc/resolv.conf; empty when the pod leaves it to the root file systems.
std::string ResolvConf(const v1::PodConfig& config);

// Content of /etc/hosts: localhost, the pod's own name, and its aliases. Until a network gives the pod an address of
// its own, its name is one of the loopback interface.
std::string Hosts(const v1::PodConfig& config);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_NAME_FILES_H_
