// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_NIC_H_
#define VCD_CORE_HYPERVISOR_NIC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/os/unique_fd.h"

namespace vcd {

// A network interface to give to a running machine. One of `taps` and `vhost_user_socket` is set.
struct NicSpec {
  std::string id;               // Unique in the pod: `[a-z0-9-]+`, at most 16 bytes.
  std::string mac;              // `02:00:5e:00:53:01`.
  uint32_t mtu = 0;             // 0 leaves it to the guest.
  std::vector<UniqueFd> taps;   // Open taps or macvtaps, one for each pair of queues.
  std::vector<UniqueFd> vhost;  // Open /dev/vhost-net, one for each tap; none: the VMM moves the packets itself.
  // Of a program that serves the interface (vhost-user); needs a machine whose memory is shared.
  std::string vhost_user_socket;
};

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_NIC_H_
