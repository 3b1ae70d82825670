// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_DEFAULT_H_
#define VCD_CORE_CNI_CNI_DEFAULT_H_

#include <string>

#include "core/cni/cni_configuration.h"

namespace vcd {

// What the built-in network is made of.
struct CniDefaultOptions {
  std::string bridge = "vcd0";
  std::string subnet = "10.213.0.0/16";    // Empty: no IPv4.
  std::string subnet6 = "fd76:6364::/64";  // Empty: no IPv6.
  std::string addresses_dir;               // Where it is kept which address is whose.
};

// The network that is there without any file, named `default`: a bridge of the host, addresses behind the host's own,
// and ports of the host. The options are taken as they are; one subnet at least is not empty.
CniConfiguration DefaultCniNetwork(const CniDefaultOptions& options);

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_DEFAULT_H_
