// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETWORK_PORT_CLAIMS_H_
#define VCD_CORE_NETWORK_PORT_CLAIMS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/os/mutex.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// Which ports of the host are published by which pod: a port leads to one pod only. Thread-safe.
class PortClaims {
 public:
  // The ports that a pod's configuration publishes are the pod's from now on, in place of those that it had.
  // kFailedPrecondition (NETWORK), naming the other pod, when one of them is another's: then nothing has changed. Two
  // ports are the same when number and protocol are, and some address of the host belongs to both.
  absl::Status Take(const std::string& pod_id, const v1::NetworkConfig& config) ABSL_LOCKS_EXCLUDED(mu_);

  // The pod has none any more.
  void Release(const std::string& pod_id) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Port {
    uint32_t number;
    std::string protocol;
    // In bytes, of IPv4 or of IPv6; empty: all of the host, of both families.
    std::string address;
  };
  static Port PortOf(const v1::PortMapping& mapping);
  static bool IsAllOfAFamily(const std::string& address);
  static bool Overlap(const Port& one, const Port& other);

  Mutex mu_;
  std::map<std::string, std::vector<Port>> ports_ ABSL_GUARDED_BY(mu_);  // By pod; none without a port.
};

}  // namespace vcd

#endif  // VCD_CORE_NETWORK_PORT_CLAIMS_H_
