// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETWORK_NETWORK_H_
#define VCD_CORE_NETWORK_NETWORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/hypervisor/nic.h"
#include "core/os/cancellation.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// Whose network it is.
struct NetworkPod {
  std::string pod_id;
  // Directories of the pod alone, which exist while it does: `run_dir` does not survive a restart of the host, nor do
  // namespaces and interfaces; what networks have reserved elsewhere does, and is noted in `state_dir`. Both may be
  // empty for networks that keep nothing.
  std::string run_dir;
  std::string state_dir;
  v1::NetworkConfig config;
  // Pairs of queues that an interface may have: as many as the machine has vCPUs at most.
  uint32_t max_queues = 1;
};

// An interface, and how the machine gets it: `nic`, unless it is a PCI device of the host (PodInterface::pci_address).
struct PlannedInterface {
  v1::PodInterface interface;
  NicSpec nic;
};

// How a pod's machine is to be joined to what was set up for it.
struct NetworkPlan {
  // Namespace that holds the pod's interfaces, and that its VMM runs in; empty when there is none.
  std::string netns_path;
  std::vector<PlannedInterface> interfaces;
  v1::DnsConfig dns;
};

// Joins pods to a network, in two steps, as programs of the pod's may look at the namespace in between and put
// interfaces into it: Open, then Attach. Detach takes both down, however far they came, also what an earlier daemon did
// and however it ended. Thread-safe; calls may block.
class Network {
 public:
  virtual ~Network() = default;

  // kInvalidArgument naming the field, or kUnimplemented, when this network cannot do what is asked. Changes nothing.
  virtual absl::Status Check(const v1::NetworkConfig& config) const = 0;

  // Whether a configuration that lists no networks is one of a network without a name, as NamedNetworks has it;
  // otherwise it is of whatever is in the namespace.
  virtual bool has_default() const { return true; }

  // Makes the pod's namespace, or adopts the one that is named: its path, empty for a network that has none. Nothing
  // stays behind on failure. kFailedPrecondition (NETWORK) for one that must not be had, as the host's own.
  virtual absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) = 0;

  // Sets up what is in it, for a machine that is about to boot. Nothing of it stays behind on failure, but the
  // namespace. Errors have the reason NETWORK and the plugin's or the kernel's words.
  virtual absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) = 0;

  // Takes down all that Open and Attach made, and no more. OK when there is nothing.
  virtual absl::Status Detach(const NetworkPod& pod, const CallContext& context) = 0;

  // One more interface for a pod that Attach was done for. kAlreadyExists when it has one of that name. Nothing stays
  // behind on failure.
  virtual absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod&, const v1::CniNetwork&, const CallContext&) {
    return absl::UnimplementedError("this network adds no interfaces to a pod that runs");
  }
  // Takes one away, once the machine no longer has it. OK when there is none of that name.
  virtual absl::Status RemoveInterface(const NetworkPod&, const std::string&, const CallContext&) {
    return absl::OkStatus();
  }

  // Whether what Attach set up is still there and as it was, for a pod that was taken over from an earlier daemon.
  // Changes nothing.
  virtual absl::Status Verify(const NetworkPod&, const CallContext&) { return absl::OkStatus(); }
};

}  // namespace vcd

#endif  // VCD_CORE_NETWORK_NETWORK_H_
