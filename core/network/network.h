// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETWORK_NETWORK_H_
#define VCD_CORE_NETWORK_NETWORK_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/cancellation.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// How a pod's machine is to be joined to what was set up for it.
struct NetworkPlan {
  // Namespace that holds the pod's interfaces; empty when there is none.
  std::string netns_path;
};

// Joins pods to a network. Thread-safe; calls may block.
class Network {
 public:
  virtual ~Network() = default;

  // kInvalidArgument naming the field, or kUnimplemented, when this network cannot do what is asked. Changes nothing.
  virtual absl::Status Check(const v1::NetworkConfig& config) const = 0;

  // Sets the pod's network up. Nothing stays behind on failure.
  virtual absl::StatusOr<NetworkPlan> Attach(const std::string& pod_id, const v1::NetworkConfig& config,
                                             const CallContext& context) = 0;

  // Takes down all that Attach made. OK when there is nothing.
  virtual absl::Status Detach(const std::string& pod_id, const v1::NetworkConfig& config,
                              const CallContext& context) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_NETWORK_NETWORK_H_
