// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_NETWORK_CNI_CNI_NETWORK_H_
#define VCD_BACKENDS_NETWORK_CNI_CNI_NETWORK_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/cni/cni_default.h"
#include "core/cni/cni_directory.h"
#include "core/cni/cni_plugins.h"
#include "core/cni/cni_pod_networks.h"
#include "core/cni/cni_release_queue.h"
#include "core/endpoint/pod_endpoints.h"
#include "core/network/network.h"
#include "core/os/posix_filesystem.h"

namespace vcd {

// Networks of the host by CNI: its plugins fill the pod's namespace, and what they put there is joined to the machine.
class CniNetwork : public Network {
 public:
  struct Options {
    std::string config_dir;
    std::vector<std::string> plugin_dirs;
    absl::Duration plugin_timeout;
    CniDefaultOptions default_network;
    CniReleaseQueue::Options queue;
    PodEndpoints::Options endpoints;
  };

  explicit CniNetwork(const Options& options);

  absl::Status Check(const v1::NetworkConfig& config) const override;
  absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) override;
  absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) override;
  absl::Status Detach(const NetworkPod& pod, const CallContext& context) override;
  absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                const CallContext& context) override;
  absl::Status RemoveInterface(const NetworkPod& pod, const std::string& name, const CallContext& context) override;
  absl::Status Verify(const NetworkPod& pod, const CallContext& context) override;

 private:
  PosixFilesystem filesystem_;
  CniDirectory directory_;
  const CniPlugins plugins_;
  CniReleaseQueue queue_;
  PodEndpoints endpoints_;
  CniPodNetworks networks_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_NETWORK_CNI_CNI_NETWORK_H_
