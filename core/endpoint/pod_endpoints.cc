// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/pod_endpoints.h"

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/endpoint/interface_join.h"
#include "core/endpoint/interface_passthrough.h"
#include "core/endpoint/route_order.h"
#include "core/netlink/kernel_netlink.h"
#include "core/netns/namespace_turn.h"
#include "core/netns/network_namespace.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr uint32_t kMostQueues = 16;
constexpr uint32_t kRouteOfTheKernel = 2;  // RTPROT_KERNEL

absl::Status NetworkError(const absl::Status& status) {
  if (status.ok() || DetailOf(status).has_value()) return status;
  return WithDetail(status, {v1::ERROR_REASON_NETWORK, {}});
}

absl::Status Refused(const std::string& name, const std::string& why) {
  return NetworkError(absl::FailedPreconditionError(absl::StrCat("interface ", name, ": ", why)));
}

std::string RecordFile(const NetworkPod& pod) { return absl::StrCat(pod.run_dir, "/network.json"); }

bool IsPassedThrough(const v1::NetworkConfig& config, const std::string& name) {
  const auto& names = config.passthrough_interfaces();
  return std::count(names.begin(), names.end(), name) != 0;
}

// What the kernel says when it was built without something.
bool IsLacking(const absl::Status& status) { return absl::IsNotFound(status) || absl::IsUnimplemented(status); }

// Those whose incoming packets somebody takes.
absl::StatusOr<std::vector<int>> TakenLinks(Netlink& netlink) {
  absl::StatusOr<std::vector<int>> links = netlink.LinksWithIngress();
  if (!links.ok()) return NetworkError(links.status());
  return links;
}

// Made by every kernel by itself.
bool IsLinkLocal(const std::string& address) { return absl::StartsWith(address, "fe80:"); }

// A hardware address for the machine's end of a tap, which is somebody else's end: the same in each life of the pod.
std::string MacFor(const std::string& pod_id, const std::string& name) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a.
  for (const char c : absl::StrCat(pod_id, "/", name)) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::string mac = "02";
  for (int i = 0; i < 5; ++i) absl::StrAppend(&mac, ":", absl::Hex(hash >> (8 * i) & 0xff, absl::kZeroPad2));
  return mac;
}

}  // namespace

// One look at a pod's namespace, and what is on record of it.
struct PodEndpoints::Session {
  // Given back last: until then others who have the namespace see nothing half done.
  NamespaceTurn turn;
  // At one place, as `netlink` enters it later.
  std::unique_ptr<NetworkNamespace> netns;
  std::unique_ptr<Netlink> netlink;
  std::vector<NetworkLink> links;
  std::vector<LinkAddress> addresses;
  std::vector<LinkRoute> routes;
  std::vector<LinkNeighbor> neighbors;
  state::v1::NetworkRecord record;
  // What is on record of another namespace, which had the name before.
  state::v1::NetworkRecord earlier;

  int PositionOf(const std::string& name) const {
    for (int i = 0; i < record.interfaces_size(); ++i) {
      if (record.interfaces(i).name() == name) return i;
    }
    return -1;
  }
  // But for link-local ones.
  std::vector<std::string> AddressesOf(const NetworkLink& link) const {
    std::vector<std::string> found;
    for (const LinkAddress& address : addresses) {
      if (address.link == link.index && !IsLinkLocal(address.address)) found.push_back(address.address);
    }
    return found;
  }
};

PodEndpoints::PodEndpoints(Filesystem& filesystem, Options options)
    : filesystem_(filesystem), options_([&options] {
        if (options.netlink == nullptr) options.netlink = OpenKernelNetlink;
        return std::move(options);
      }()) {}

absl::Status PodEndpoints::Check(const v1::NetworkConfig& config) {
  const auto field = [](absl::string_view name) { return absl::StrCat("config.network_config.", name); };
  if (!config.netns_path().empty() && config.netns_path().front() != '/') {
    return InvalidField(field("netns_path"), "is no absolute path");
  }
  if (config.netns_pid() < 0) return InvalidField(field("netns_pid"), "is no process id");
  if (!config.netns_path().empty() && config.netns_pid() != 0) {
    return InvalidField(field("netns_pid"), "a namespace is named by path or by process, not by both");
  }
  if (!v1::InterfaceJoin_IsValid(config.join())) return InvalidField(field("join"), "is none that is known");
  std::set<std::string> passed;
  for (const std::string& name : config.passthrough_interfaces()) {
    if (name.empty()) return InvalidField(field("passthrough_interfaces"), "an interface has no name");
    if (config.vhost_user_sockets().count(name) != 0) {
      return InvalidField(field("passthrough_interfaces"),
                          absl::StrCat(name, " is served over vhost-user too; it can be only one of both"));
    }
    if (!passed.insert(name).second) return InvalidField(field("passthrough_interfaces"), name + " is there twice");
  }
  for (const auto& [name, socket] : config.vhost_user_sockets()) {
    if (socket.empty() || socket.front() != '/') {
      return InvalidField(field(absl::StrCat("vhost_user_sockets[\"", name, "\"]")), "is no absolute path");
    }
  }
  return absl::OkStatus();
}

std::string PodEndpoints::NamespacePath(const NetworkPod& pod) { return absl::StrCat(pod.run_dir, "/netns"); }

absl::StatusOr<std::string> PodEndpoints::OpenNamespace(const NetworkPod& pod, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check("set the network up"));
  VCD_RETURN_IF_ERROR(LeaveAll(pod));
  VCD_RETURN_IF_ERROR(RemoveNamespace(pod));
  absl::StatusOr<NetworkNamespace> netns =
      !pod.config.netns_path().empty() ? NetworkNamespace::Open(pod.config.netns_path())
      : pod.config.netns_pid() != 0    ? NetworkNamespace::OfProcess(pod.config.netns_pid())
                                       : NetworkNamespace::Make();
  VCD_RETURN_IF_ERROR(netns.status());
  const std::string path = NamespacePath(pod);
  VCD_RETURN_IF_ERROR(netns->MountAt(path));
  return path;
}

absl::StatusOr<PodEndpoints::Session> PodEndpoints::Enter(const NetworkPod& pod) {
  absl::StatusOr<NetworkNamespace> opened = NetworkNamespace::Open(NamespacePath(pod));
  VCD_RETURN_IF_ERROR(opened.status());
  auto netns = std::make_unique<NetworkNamespace>(*std::move(opened));
  NamespaceTurn turn = NamespaceTurn::Take(*netns);
  absl::StatusOr<std::unique_ptr<Netlink>> netlink = options_.netlink(*netns);
  VCD_RETURN_IF_ERROR(NetworkError(netlink.status()));
  Session session{std::move(turn), std::move(netns), *std::move(netlink), {}, {}, {}, {}, {}, {}};
  VCD_ASSIGN_OR_RETURN(state::v1::NetworkRecord record, Read(pod));
  const NetworkNamespace::Identity identity{record.netns_device(), record.netns_inode()};
  // One of another namespace tells of nothing that is here.
  (identity == session.netns->identity() ? session.record : session.earlier) = std::move(record);
  session.record.set_netns_device(session.netns->identity().device);
  session.record.set_netns_inode(session.netns->identity().inode);
  const auto take = [](auto result, auto* out) -> absl::Status {
    if (!result.ok()) return NetworkError(result.status());
    *out = *std::move(result);
    return absl::OkStatus();
  };
  VCD_RETURN_IF_ERROR(take(session.netlink->Links(), &session.links));
  VCD_RETURN_IF_ERROR(take(session.netlink->Addresses(), &session.addresses));
  VCD_RETURN_IF_ERROR(take(session.netlink->Routes(), &session.routes));
  VCD_RETURN_IF_ERROR(take(session.netlink->Neighbors(), &session.neighbors));
  return session;
}

absl::StatusOr<state::v1::NetworkRecord> PodEndpoints::Read(const NetworkPod& pod) {
  const absl::StatusOr<std::string> text = filesystem_.ReadFile(RecordFile(pod));
  if (!text.ok() && !absl::IsNotFound(text.status())) return text.status();
  state::v1::NetworkRecord record;
  if (!text.ok() || !google::protobuf::util::JsonStringToMessage(*text, &record).ok()) {
    return state::v1::NetworkRecord();
  }
  return record;
}

std::string PodEndpoints::HolderOf(const NetworkPod& pod, const Session& session, const NetworkLink& link) {
  const std::string pods = ParentDirectory(pod.run_dir);
  for (const std::string& id : filesystem_.ListDirectory(pods).value_or(std::vector<std::string>())) {
    NetworkPod other;
    other.run_dir = absl::StrCat(pods, "/", id);
    if (other.run_dir == pod.run_dir) continue;
    const state::v1::NetworkRecord record = Read(other).value_or(state::v1::NetworkRecord());
    const NetworkNamespace::Identity identity{record.netns_device(), record.netns_inode()};
    if (!(identity == session.netns->identity())) continue;
    for (const state::v1::JoinedInterface& joined : record.interfaces()) {
      if (joined.index() == link.index && joined.name() == link.name) return id;
    }
  }
  return "";
}

absl::Status PodEndpoints::ReturnDevices(const state::v1::NetworkRecord& record) {
  absl::Status first;
  for (const state::v1::JoinedInterface& joined : record.interfaces()) {
    if (joined.kind() != v1::INTERFACE_KIND_PHYSICAL) continue;
    first.Update(NetworkError(Annotate(UndoPassthrough(nullptr, options_.pci_bus, joined),
                                       absl::StrCat("give the device of interface ", joined.name(), " back"))));
  }
  return first;
}

absl::Status PodEndpoints::Write(const NetworkPod& pod, const state::v1::NetworkRecord& record) {
  std::string text;
  const auto written = google::protobuf::util::MessageToJsonString(record, &text);
  if (!written.ok()) return absl::InternalError("the record of the network cannot be written as JSON");
  return filesystem_.ReplaceFile(RecordFile(pod), text);
}

absl::StatusOr<std::vector<v1::PodInterface>> PodEndpoints::Interfaces(const NetworkPod& pod) {
  VCD_ASSIGN_OR_RETURN(const Session session, Enter(pod));
  std::vector<v1::PodInterface> interfaces;
  for (const NetworkLink& link : session.links) {
    if (link.loopback || IsMadeByJoin(link)) continue;
    v1::PodInterface& interface = interfaces.emplace_back();
    interface.set_name(link.name);
    for (const std::string& address : session.AddressesOf(link)) interface.add_addresses(address);
  }
  return interfaces;
}

absl::StatusOr<std::vector<UniqueFd>> PodEndpoints::OpenVhost(const NetworkPod& pod, size_t queues) const {
  std::vector<UniqueFd> vhost;
  if (pod.config.disable_vhost()) return vhost;
  for (size_t i = 0; i < queues; ++i) {
    UniqueFd one(open(options_.vhost_net.c_str(), O_RDWR | O_CLOEXEC));
    // A host without it moves the packets in the VMM.
    if (!one.valid()) return std::vector<UniqueFd>();
    vhost.push_back(std::move(one));
  }
  return vhost;
}

absl::StatusOr<std::vector<UniqueFd>> PodEndpoints::JoinVirtual(const NetworkPod& pod, Session& session,
                                                                const NetworkLink& link, uint32_t queues) {
  absl::Status why;
  for (const v1::InterfaceJoin join : JoinsFor(pod.config.join())) {
    *session.record.add_interfaces() = PlanJoin(link, join, session.addresses, session.routes);
    const int position = session.record.interfaces_size() - 1;
    const absl::Status written = Write(pod, session.record);
    absl::StatusOr<std::vector<UniqueFd>> taps =
        written.ok()
            ? MakeJoin(*session.netlink, session.record.interfaces(position), MacFor(pod.pod_id, link.name), queues)
            : absl::StatusOr<std::vector<UniqueFd>>(written);
    if (taps.ok()) return taps;
    const bool lacking = IsLacking(taps.status());
    why.Update(NetworkError(Annotate(taps.status(), absl::StrCat("join interface ", link.name))));
    const absl::Status undone = Forget(pod, session, position);
    if (!undone.ok()) return Annotate(why, absl::StrCat("(and not undone: ", undone.message(), ")"));
    // The next way may do with what this kernel has.
    if (!lacking) break;
  }
  return why;
}

absl::StatusOr<std::string> PodEndpoints::JoinPhysical(const NetworkPod& pod, Session& session,
                                                       const NetworkLink& link) {
  const auto& names = pod.config.passthrough_interfaces();
  const std::set<std::string> given = PciDevicesOf(*session.netlink, {names.begin(), names.end()});
  absl::StatusOr<state::v1::JoinedInterface> planned =
      PlanPassthrough(*session.netlink, options_.pci_bus, link, given, session.addresses, session.routes);
  if (!planned.ok()) return NetworkError(Annotate(planned.status(), absl::StrCat("interface ", link.name)));
  const std::string address = planned->pci_address();
  *session.record.add_interfaces() = *std::move(planned);
  absl::Status status = Write(pod, session.record);
  if (status.ok()) status = options_.pci_bus.GiveToVfio(address);
  if (status.ok()) return address;
  status = NetworkError(Annotate(status, absl::StrCat("pass interface ", link.name, " through")));
  const absl::Status undone = Forget(pod, session, session.record.interfaces_size() - 1);
  return undone.ok() ? status : Annotate(status, absl::StrCat("(and not undone: ", undone.message(), ")"));
}

absl::StatusOr<PlannedInterface> PodEndpoints::JoinLink(const NetworkPod& pod, Session& session,
                                                        const NetworkLink& link, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("join interface ", link.name)));
  PlannedInterface planned;
  v1::PodInterface& interface = planned.interface;
  interface.set_name(link.name);
  interface.set_mac(link.mac);
  interface.set_mtu(link.mtu);
  const std::vector<std::string> addresses = session.AddressesOf(link);
  std::vector<LinkRoute> routes;
  for (const LinkRoute& route : session.routes) {
    if (route.link == link.index && route.protocol != kRouteOfTheKernel) routes.push_back(route);
  }
  OrderRoutes(addresses, routes);
  *interface.mutable_addresses() = {addresses.begin(), addresses.end()};
  for (const LinkRoute& route : routes) *interface.add_routes() = route.route;
  for (const LinkNeighbor& neighbor : session.neighbors) {
    if (neighbor.link == link.index) *interface.add_neighbors() = neighbor.neighbor;
  }
  const auto socket = pod.config.vhost_user_sockets().find(link.name);
  const bool is_tap = link.kind == "tun";
  interface.set_kind(socket != pod.config.vhost_user_sockets().end() ? v1::INTERFACE_KIND_VHOST_USER
                     : IsPassedThrough(pod.config, link.name)        ? v1::INTERFACE_KIND_PHYSICAL
                     : is_tap                                        ? v1::INTERFACE_KIND_TAP
                                                                     : v1::INTERFACE_KIND_VIRTUAL);
  if (!link.ethernet) return Refused(link.name, "its frames have no Ethernet header, as a machine's must");
  if (!link.answers_arp) {
    return Refused(link.name, "it answers no ARP, so a machine behind it reaches nobody; use one in mode `l2`");
  }
  // To take it by force from another pod would cut that one off.
  const auto taken_by = [&](const std::string& otherwise) {
    const std::string holder = HolderOf(pod, session, link);
    if (holder.empty()) return Refused(link.name, otherwise);
    return Refused(link.name, absl::StrCat("pod ", holder, " has it; detach it there with `vc network detach ", holder,
                                           " ", link.name, "`, or stop or delete that pod"));
  };
  if (link.master != 0) return taken_by("it is a port of a bridge or bond; take it out, or join that");

  const uint32_t queues = std::clamp(pod.max_queues, 1u, kMostQueues);
  if (interface.kind() == v1::INTERFACE_KIND_VHOST_USER) {
    planned.nic.vhost_user_socket = socket->second;
    interface.set_queues(1);
  } else if (interface.kind() == v1::INTERFACE_KIND_PHYSICAL) {
    VCD_ASSIGN_OR_RETURN(*interface.mutable_pci_address(), JoinPhysical(pod, session, link));
    return planned;
  } else if (is_tap) {
    // What it has is its other end's.
    interface.clear_addresses();
    interface.clear_routes();
    interface.set_mac(MacFor(pod.pod_id, link.name));
    absl::StatusOr<std::vector<UniqueFd>> taps = session.netlink->OpenTap(link.name, queues, /*existing=*/true);
    VCD_RETURN_IF_ERROR(NetworkError(taps.status()));
    planned.nic.taps = *std::move(taps);
  } else {
    VCD_ASSIGN_OR_RETURN(const std::vector<int> taken, TakenLinks(*session.netlink));
    if (std::count(taken.begin(), taken.end(), link.index) != 0) {
      return taken_by(
          absl::StrCat("something else takes what comes in; if that is no pod of another vcd, remove it with "
                       "`tc qdisc del dev ",
                       link.name, " ingress` in its namespace"));
    }
  }
  absl::Status status;
  if (interface.kind() == v1::INTERFACE_KIND_VIRTUAL) {
    VCD_ASSIGN_OR_RETURN(planned.nic.taps, JoinVirtual(pod, session, link, queues));
    interface.set_join(session.record.interfaces().rbegin()->join());
  } else {
    state::v1::JoinedInterface& joined = *session.record.add_interfaces();
    joined.set_name(link.name);
    joined.set_index(link.index);
    joined.set_kind(interface.kind());
    status = Write(pod, session.record);
  }
  if (status.ok() && !planned.nic.taps.empty()) {
    absl::StatusOr<std::vector<UniqueFd>> vhost = OpenVhost(pod, planned.nic.taps.size());
    status = vhost.status();
    if (status.ok()) planned.nic.vhost = *std::move(vhost);
    interface.set_queues(static_cast<uint32_t>(planned.nic.taps.size()));
    interface.set_vhost(!planned.nic.vhost.empty());
  }
  planned.nic.mac = interface.mac();
  planned.nic.mtu = interface.mtu();
  if (status.ok()) return planned;
  planned.nic.taps.clear();
  const absl::Status undone = Forget(pod, session, session.record.interfaces_size() - 1);
  return undone.ok() ? status : Annotate(status, absl::StrCat("(and not undone: ", undone.message(), ")"));
}

absl::Status PodEndpoints::Forget(const NetworkPod& pod, Session& session, int position) {
  VCD_RETURN_IF_ERROR(Undo(session, position));
  return Write(pod, session.record);
}

absl::Status PodEndpoints::Undo(Session& session, int position) {
  const state::v1::JoinedInterface joined = session.record.interfaces(position);
  if (joined.kind() == v1::INTERFACE_KIND_VIRTUAL) {
    VCD_RETURN_IF_ERROR(NetworkError(
        Annotate(UndoJoin(*session.netlink, joined), absl::StrCat("let go of interface ", joined.name()))));
  } else if (joined.kind() == v1::INTERFACE_KIND_PHYSICAL) {
    VCD_RETURN_IF_ERROR(NetworkError(Annotate(UndoPassthrough(session.netlink.get(), options_.pci_bus, joined),
                                              absl::StrCat("take interface ", joined.name(), " back"))));
  }
  session.record.mutable_interfaces()->DeleteSubrange(position, 1);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PlannedInterface>> PodEndpoints::JoinAll(const NetworkPod& pod,
                                                                    const std::vector<std::string>& named,
                                                                    const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check("set the network up"));
  VCD_ASSIGN_OR_RETURN(Session session, Enter(pod));
  const auto is_named = [&](const NetworkLink& link) {
    return std::count(named.begin(), named.end(), link.name) != 0 ||
           pod.config.vhost_user_sockets().count(link.name) != 0 || IsPassedThrough(pod.config, link.name);
  };
  const auto is_there = [&session](const std::string& name) {
    return std::any_of(session.links.begin(), session.links.end(),
                       [&name](const NetworkLink& link) { return link.name == name; });
  };
  for (const std::string& name : named) {
    if (is_there(name) || session.PositionOf(name) >= 0) continue;
    return Refused(name, absl::StrCat("it is not in the pod's namespace; put it there with `ip link set dev ", name,
                                      " netns …`, or take it out of `network_config.networks`"));
  }
  for (const auto& [name, socket] : pod.config.vhost_user_sockets()) {
    if (is_there(name)) continue;
    return Refused(name, absl::StrCat("it is not in the pod's namespace, but ", socket, " is to serve it"));
  }
  for (const std::string& name : pod.config.passthrough_interfaces()) {
    if (is_there(name) || session.PositionOf(name) >= 0) continue;
    return Refused(name,
                   "it is to be passed through and is not in the pod's namespace; move it there with `ip link "
                   "set dev NAME netns …`");
  }
  std::vector<PlannedInterface> joined;
  absl::Status status;
  for (const NetworkLink& link : session.links) {
    if (link.loopback || IsMadeByJoin(link) || session.PositionOf(link.name) >= 0) continue;
    if (!is_named(link) && session.AddressesOf(link).empty() && link.kind != "tun") continue;
    absl::StatusOr<PlannedInterface> one = JoinLink(pod, session, link, context);
    status = one.status();
    if (!status.ok()) break;
    joined.push_back(*std::move(one));
  }
  if (status.ok()) return joined;
  for (PlannedInterface& one : joined) {
    one.nic.taps.clear();
    const absl::Status undone = Forget(pod, session, session.PositionOf(one.interface.name()));
    if (!undone.ok()) status = Annotate(status, absl::StrCat("(and not undone: ", undone.message(), ")"));
  }
  return status;
}

absl::StatusOr<PlannedInterface> PodEndpoints::Join(const NetworkPod& pod, const std::string& name,
                                                    const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(Session session, Enter(pod));
  for (const NetworkLink& link : session.links) {
    if (link.name != name || link.loopback || IsMadeByJoin(link)) continue;
    if (session.PositionOf(name) < 0) return JoinLink(pod, session, link, context);
    return NetworkError(absl::AlreadyExistsError(absl::StrCat("the pod has interface ", name, " already")));
  }
  return NetworkError(absl::NotFoundError(
      absl::StrCat("there is no interface ", name, " in the pod's namespace ", NamespacePath(pod), "; put it there")));
}

absl::Status PodEndpoints::Leave(const NetworkPod& pod, const std::string& name) {
  absl::StatusOr<Session> session = Enter(pod);
  if (absl::IsNotFound(session.status())) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(session.status());
  const int position = session->PositionOf(name);
  return position < 0 ? absl::OkStatus() : Forget(pod, *session, position);
}

absl::Status PodEndpoints::LeaveAll(const NetworkPod& pod) {
  absl::StatusOr<Session> session = Enter(pod);
  if (absl::IsNotFound(session.status())) {
    VCD_ASSIGN_OR_RETURN(const state::v1::NetworkRecord record, Read(pod));
    VCD_RETURN_IF_ERROR(ReturnDevices(record));
    return filesystem_.RemoveFile(RecordFile(pod));
  }
  VCD_RETURN_IF_ERROR(session.status());
  absl::Status first = ReturnDevices(session->earlier);
  const int joined = session->record.interfaces_size();
  for (int position = joined - 1; position >= 0; --position) first.Update(Undo(*session, position));
  // With nothing to write on the way a full disk keeps no pod. To undo twice what a crash leaves on record does no
  // harm.
  if (first.ok()) return filesystem_.RemoveFile(RecordFile(pod));
  if (session->record.interfaces_size() < joined) first.Update(Write(pod, session->record));
  return first;
}

absl::Status PodEndpoints::RemoveNamespace(const NetworkPod& pod) { return RemoveNetworkNamespace(NamespacePath(pod)); }

absl::StatusOr<bool> PodEndpoints::Verify(const NetworkPod& pod) {
  bool unchanged = true;
  VCD_ASSIGN_OR_RETURN(const Session session, Enter(pod));
  for (const state::v1::JoinedInterface& joined : session.record.interfaces()) {
    if (joined.kind() == v1::INTERFACE_KIND_PHYSICAL) {
      const absl::Status with_vfio = CheckPassthrough(options_.pci_bus, joined);
      if (!with_vfio.ok()) return NetworkError(Annotate(with_vfio, absl::StrCat("interface ", joined.name())));
      unchanged = false;
      continue;
    }
    const bool there = std::any_of(session.links.begin(), session.links.end(), [&joined](const NetworkLink& link) {
      return link.index == joined.index() && link.name == joined.name();
    });
    if (!there) return Refused(joined.name(), "it is gone from the pod's namespace");
    if (joined.kind() != v1::INTERFACE_KIND_VIRTUAL) continue;
    const absl::Status leads = CheckJoin(*session.netlink, joined);
    if (!leads.ok()) return NetworkError(Annotate(leads, absl::StrCat("interface ", joined.name())));
    if (LendsAddresses(joined)) unchanged = false;
  }
  return unchanged;
}

}  // namespace vcd
