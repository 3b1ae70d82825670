// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_POD_NETWORKS_H_
#define VCD_CORE_CNI_CNI_POD_NETWORKS_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/cni/cni_attachment.h"
#include "core/cni/cni_directory.h"
#include "core/cni/cni_plugins.h"
#include "core/cni/cni_release_queue.h"
#include "core/network/network.h"
#include "core/os/cancellation.h"
#include "core/os/filesystem.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// The networks that pods take part in by CNI, in namespaces that others make. What is about to be attached is written
// to <state_dir>/cni.json before a plugin hears of it, so that it is given back however the daemon ended. Thread-safe;
// one call at a time for a pod. Calls block.
class CniPodNetworks {
 public:
  // What AddAll did.
  struct Joined {
    std::map<std::string, std::string> networks;  // By the names of the interfaces.
    v1::DnsConfig dns;                            // Of all networks; the first ones win.
  };

  // Names and addresses of the interfaces that are in the pod's namespace.
  using Look = std::function<absl::StatusOr<std::vector<v1::PodInterface>>(const NetworkPod& pod)>;

  // All of them outlive this.
  CniPodNetworks(Filesystem& filesystem, CniDirectory& directory, const CniPlugins& plugins, CniReleaseQueue& queue,
                 Look look)
      : filesystem_(filesystem), directory_(directory), plugins_(plugins), queue_(queue), look_(std::move(look)) {}

  // Whether AddAll knows what to do: kInvalidArgument naming the field and, for a network, the known ones;
  // kFailedPrecondition, with the package that has it, for a plugin that is missing. Changes nothing.
  absl::Status Check(const v1::NetworkConfig& config) const;

  // Attaches the networks of the configuration, in their order, in the namespace at `netns_path`, and looks there for
  // what the plugins say that they did (CheckCniClaims). Nothing stays behind on failure, but what waits in the queue.
  absl::StatusOr<Joined> AddAll(const NetworkPod& pod, const std::string& netns_path, const CallContext& context);

  // Gives all back that is on record, the last first, in some seconds; what fails, or has no time left, goes to the
  // queue and is no error. OK when there is nothing.
  absl::Status RemoveAll(const NetworkPod& pod, const CallContext& context);

  // One network more, whose interface has a name, for a pod that runs: the network's name. kAlreadyExists when the pod
  // has an interface of that name. What cannot be taken back after a failure stays on record, for Remove and RemoveAll:
  // the queue could hit a later interface of that name.
  absl::StatusOr<std::string> Add(const NetworkPod& pod, const std::string& netns_path, const v1::CniNetwork& network,
                                  const CallContext& context);

  // Gives one back. OK when there is none of that name; what fails stays on record.
  absl::Status Remove(const NetworkPod& pod, const std::string& interface_name, const CallContext& context);

  // As Remove, of what Add did for a call that failed later: takes the time that it needs, some seconds, also when the
  // caller's is over.
  absl::Status Undo(const NetworkPod& pod, const std::string& interface_name, const CallContext& context);

  // Whether all that is on record is as it was added, as far as the plugins know how to tell.
  absl::Status Verify(const NetworkPod& pod, const CallContext& context) const;

 private:
  struct Entry {
    CniAttachment attachment;
    bool leaving = false;  // The interface is no more, or never was; the plugins still have to agree.
  };
  using Entries = std::vector<Entry>;

  absl::StatusOr<CniAttachment> Plan(const std::string& pod_id, const v1::CniNetwork& network,
                                     const std::string& field) const;
  // Puts it on record, calls the plugins, and looks for what they say that they did.
  absl::StatusOr<v1::DnsConfig> AddEntry(const NetworkPod& pod, CniAttachment attachment, Entries& entries,
                                         const CallContext& context);
  absl::Status DeleteOrQueue(const NetworkPod& pod, Entries entries, const CallContext& context);

  absl::StatusOr<Entries> Load(const NetworkPod& pod) const;
  // Without entries there is no file.
  absl::Status Save(const NetworkPod& pod, const Entries& entries);

  Filesystem& filesystem_;
  CniDirectory& directory_;
  const CniPlugins& plugins_;
  CniReleaseQueue& queue_;
  const Look look_;
};

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_POD_NETWORKS_H_
