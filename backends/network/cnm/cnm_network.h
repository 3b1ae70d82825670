// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_NETWORK_CNM_CNM_NETWORK_H_
#define VCD_BACKENDS_NETWORK_CNM_CNM_NETWORK_H_

#include <string>

#include "core/endpoint/pod_endpoints.h"
#include "core/network/network.h"
#include "core/os/posix_filesystem.h"

namespace vcd {

// A network that somebody else prepares: the interfaces that are in a namespace when the pod boots, be it one that the
// configuration names, or a new one that the pod's prestart hooks fill. Nothing that was there before is taken away.
class CnmNetwork : public Network {
 public:
  explicit CnmNetwork(const PodEndpoints::Options& options) : endpoints_(filesystem_, options) {}

  absl::Status Check(const v1::NetworkConfig& config) const override;
  bool has_default() const override { return false; }
  absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) override;
  absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) override;
  absl::Status Detach(const NetworkPod& pod, const CallContext& context) override;
  absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                const CallContext& context) override;
  absl::Status RemoveInterface(const NetworkPod& pod, const std::string& name, const CallContext& context) override;
  absl::Status Verify(const NetworkPod& pod, const CallContext& context) override;

 private:
  PosixFilesystem filesystem_;
  PodEndpoints endpoints_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_NETWORK_CNM_CNM_NETWORK_H_
