// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ENDPOINT_POD_ENDPOINTS_H_
#define VCD_CORE_ENDPOINT_POD_ENDPOINTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/device/pci_bus.h"
#include "core/netlink/netlink.h"
#include "core/network/network.h"
#include "core/os/cancellation.h"
#include "core/os/filesystem.h"
#include "proto/vcd/state/v1/network_record.pb.h"

namespace vcd {

// The namespaces of pods, and how the interfaces in them are joined to the pods' machines: what networks that have
// namespaces do alike. A network of them is
//
//   Open:            OpenNamespace
//   Attach:          (fill it) JoinAll
//   Detach:          LeaveAll, (empty it) RemoveNamespace
//   AddInterface:    (fill it) Join
//   RemoveInterface: Leave, (empty it)
//
// How an interface is joined says core/endpoint/interface_join.h, and how its PCI device is passed through in its place
// core/endpoint/interface_passthrough.h. What is about to be done is written to
// <run_dir>/network.json first, so that LeaveAll and Leave undo it however an earlier daemon ended. Thread-safe; one
// call at a time for a pod, and, of pods that have one namespace, for that namespace: the others wait. Errors have the
// reason NETWORK, and name the interface.
class PodEndpoints {
 public:
  struct Options {
    std::string vhost_net = "/dev/vhost-net";
    NetlinkFactory netlink;  // Empty: the kernel's.
    PciBus pci_bus;          // For those that are passed through.
  };

  // The file system outlives this.
  PodEndpoints(Filesystem& filesystem, Options options);

  // kInvalidArgument naming the field of `config.network_config`, for those that are about namespaces and joins; those
  // of CNI are not looked at.
  static absl::Status Check(const v1::NetworkConfig& config);

  // Gives back what an earlier life has left (LeaveAll, RemoveNamespace), and makes a namespace, or adopts the one that
  // the configuration names by path or process. Its path. Nothing stays behind on failure.
  absl::StatusOr<std::string> OpenNamespace(const NetworkPod& pod, const CallContext& context);

  // The path of the pod's namespace, whether it is there or not.
  static std::string NamespacePath(const NetworkPod& pod);

  // Names and addresses of the interfaces in it, the loopback interface, those made here and link-local addresses left
  // out.
  absl::StatusOr<std::vector<v1::PodInterface>> Interfaces(const NetworkPod& pod);

  // Joins what is in the namespace and not joined yet: interfaces that have an address, and those in `named` also
  // without. Nothing stays behind on failure. kFailedPrecondition, with the next step, for one that cannot be joined,
  // and for one of `named` that is not there.
  absl::StatusOr<std::vector<PlannedInterface>> JoinAll(const NetworkPod& pod, const std::vector<std::string>& named,
                                                        const CallContext& context);

  // One of them. kNotFound when there is none of that name, kAlreadyExists when it is joined.
  absl::StatusOr<PlannedInterface> Join(const NetworkPod& pod, const std::string& name, const CallContext& context);

  // Undoes one join, once the machine no longer has the interface. OK when there is none.
  absl::Status Leave(const NetworkPod& pod, const std::string& name);

  // Undoes all, goes on where one fails, and returns the first error. What could not be undone stays on record, for the
  // next call. OK when the namespace is gone, as after a restart of the host: what was in it went with it.
  absl::Status LeaveAll(const NetworkPod& pod);

  // Removes the namespace that OpenNamespace made, or the name that it gave to that of a process. OK when there is
  // none.
  absl::Status RemoveNamespace(const NetworkPod& pod);

  // kFailedPrecondition naming what is on record and not there. Otherwise whether the interfaces have all that they had
  // when they were joined: some joins lend it to the guest.
  absl::StatusOr<bool> Verify(const NetworkPod& pod);

 private:
  struct Session;

  absl::StatusOr<Session> Enter(const NetworkPod& pod);
  // Empty when there is none, or none that can be read.
  absl::StatusOr<state::v1::NetworkRecord> Read(const NetworkPod& pod);
  // The id of another pod that has an interface of this namespace on record; empty when none is known to. Run
  // directories of pods lie side by side, and are named after them.
  std::string HolderOf(const NetworkPod& pod, const Session& session, const NetworkLink& link);
  absl::Status Write(const NetworkPod& pod, const state::v1::NetworkRecord& record);
  // Gives the PCI devices back of a namespace that is gone.
  absl::Status ReturnDevices(const state::v1::NetworkRecord& record);
  absl::StatusOr<PlannedInterface> JoinLink(const NetworkPod& pod, Session& session, const NetworkLink& link,
                                            const CallContext& context);
  // By the first way that was asked for and that the kernel has; on record. Nothing stays behind on failure.
  absl::StatusOr<std::vector<UniqueFd>> JoinVirtual(const NetworkPod& pod, Session& session, const NetworkLink& link,
                                                    uint32_t queues);
  // Gives vfio-pci the interface's device; on record. Nothing stays behind on failure. The device.
  absl::StatusOr<std::string> JoinPhysical(const NetworkPod& pod, Session& session, const NetworkLink& link);
  absl::StatusOr<std::vector<UniqueFd>> OpenVhost(const NetworkPod& pod, size_t queues) const;
  // Undoes one of the record, and takes it off there.
  absl::Status Undo(Session& session, int position);
  // The same, and writes the record.
  absl::Status Forget(const NetworkPod& pod, Session& session, int position);

  Filesystem& filesystem_;
  const Options options_;
};

}  // namespace vcd

#endif  // VCD_CORE_ENDPOINT_POD_ENDPOINTS_H_
