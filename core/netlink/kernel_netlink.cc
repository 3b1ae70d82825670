// SPDX-License-Identifier: Apache-2.0
#include "core/netlink/kernel_netlink.h"

#include <linux/ethtool.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/sockios.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/route/act/mirred.h>
#include <netlink/route/action.h>
#include <netlink/route/addr.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/u32.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/macvtap.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/route.h>
#include <netlink/route/tc.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/netlink/link_dump.h"
#include "core/netlink/netlink_socket.h"
#include "core/netlink/tap_device.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using Link = NlPointer<rtnl_link, rtnl_link_put>;
using Address = NlPointer<rtnl_addr, rtnl_addr_put>;
using Route = NlPointer<rtnl_route, rtnl_route_put>;
using Qdisc = NlPointer<rtnl_qdisc, rtnl_qdisc_put>;
using Classifier = NlPointer<rtnl_cls, rtnl_cls_put>;
using Action = NlPointer<rtnl_act, rtnl_act_put>;

constexpr int kMakeNew = NLM_F_CREATE | NLM_F_EXCL;
// The one node that an ingress queueing discipline has.
constexpr uint32_t kIngressHandle = TC_H_MAKE(0xffffU << 16, 0);

std::string Named(int index) { return absl::StrCat("interface ", index); }

// Libnl's form of an address; null for an empty text.
absl::StatusOr<NlAddress> ParseAddress(const std::string& text, int family) {
  if (text.empty()) return NlAddress();
  nl_addr* parsed = nullptr;
  if (nl_addr_parse(text.c_str(), family, &parsed) < 0) {
    return absl::InvalidArgumentError(absl::StrCat(text, ": is no address"));
  }
  return NlAddress(parsed);
}

// The family of a route: what it names tells.
int FamilyOf(const v1::Route& route) {
  const std::string& named = route.destination().empty() ? route.gateway() : route.destination();
  return route.ipv6() || named.find(':') != std::string::npos ? AF_INET6 : AF_INET;
}

uint8_t ScopeOf(const v1::Route& route) {
  if (route.scope() == "link") return RT_SCOPE_LINK;
  return route.scope() == "host" ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
}

absl::StatusOr<Address> ToLibrary(const LinkAddress& address) {
  Address result(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(result.get(), address.link);
  VCD_ASSIGN_OR_RETURN(const NlAddress local, ParseAddress(address.address, AF_UNSPEC));
  if (local == nullptr) return absl::InvalidArgumentError("an address is empty");
  rtnl_addr_set_local(result.get(), local.get());
  VCD_ASSIGN_OR_RETURN(const NlAddress peer, ParseAddress(address.peer, AF_UNSPEC));
  if (peer != nullptr) rtnl_addr_set_peer(result.get(), peer.get());
  VCD_ASSIGN_OR_RETURN(const NlAddress broadcast, ParseAddress(address.broadcast, AF_UNSPEC));
  if (broadcast != nullptr) rtnl_addr_set_broadcast(result.get(), broadcast.get());
  if (!address.label.empty()) rtnl_addr_set_label(result.get(), address.label.c_str());
  rtnl_addr_set_scope(result.get(), static_cast<int>(address.scope));
  rtnl_addr_set_flags(result.get(), address.flags);
  return result;
}

absl::StatusOr<Route> ToLibrary(const LinkRoute& route) {
  const int family = FamilyOf(route.route);
  Route result(rtnl_route_alloc());
  rtnl_route_set_family(result.get(), static_cast<uint8_t>(family));
  rtnl_route_set_table(result.get(), RT_TABLE_MAIN);
  rtnl_route_set_type(result.get(), RTN_UNICAST);
  rtnl_route_set_protocol(result.get(), static_cast<uint8_t>(route.protocol));
  rtnl_route_set_scope(result.get(), ScopeOf(route.route));
  const std::string& destination = route.route.destination();
  VCD_ASSIGN_OR_RETURN(const NlAddress to, ParseAddress(destination.empty() ? "default" : destination, family));
  rtnl_route_set_dst(result.get(), to.get());
  VCD_ASSIGN_OR_RETURN(const NlAddress source, ParseAddress(route.route.source(), family));
  if (source != nullptr) rtnl_route_set_pref_src(result.get(), source.get());
  if (route.route.metric() != 0) rtnl_route_set_priority(result.get(), route.route.metric());
  if (route.route.mtu() != 0) rtnl_route_set_metric(result.get(), RTAX_MTU, route.route.mtu());
  rtnl_nexthop* const hop = rtnl_route_nh_alloc();
  rtnl_route_nh_set_ifindex(hop, route.link);
  if (route.route.onlink()) rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
  rtnl_route_add_nexthop(result.get(), hop);
  VCD_ASSIGN_OR_RETURN(const NlAddress gateway, ParseAddress(route.route.gateway(), AF_UNSPEC));
  if (gateway == nullptr) return result;
  if (nl_addr_get_family(gateway.get()) == family) {
    rtnl_route_nh_set_gateway(hop, gateway.get());
  } else {
    rtnl_route_nh_set_via(hop, gateway.get());
  }
  return result;
}

class KernelNetlink : public Netlink {
 public:
  KernelNetlink(const NetworkNamespace& netns, std::unique_ptr<NetlinkSocket> socket, UniqueFd device_socket)
      : netns_(netns), socket_(std::move(socket)), device_socket_(std::move(device_socket)) {}

  absl::StatusOr<std::vector<NetworkLink>> Links() override { return DumpLinks(*socket_); }
  absl::StatusOr<std::vector<LinkAddress>> Addresses() override { return DumpAddresses(*socket_); }
  absl::StatusOr<std::vector<LinkRoute>> Routes() override { return DumpRoutes(*socket_); }
  absl::StatusOr<std::vector<LinkNeighbor>> Neighbors() override { return DumpNeighbors(*socket_); }
  absl::StatusOr<std::vector<int>> LinksWithIngress() override { return DumpLinksWithIngress(*socket_); }
  absl::StatusOr<LinkDriver> Driver(const std::string& name) override;

  absl::StatusOr<std::vector<UniqueFd>> OpenTap(const std::string& name, uint32_t queues, bool existing) override {
    return OpenTapQueues(netns_, name, queues, existing);
  }
  absl::Status AddMacvtap(const std::string& name, int lower, const std::string& mac) override;
  absl::StatusOr<std::vector<UniqueFd>> OpenMacvtap(const NetworkLink& link, uint32_t queues) override {
    return OpenMacvtapQueues(netns_, link.name, link.index, queues);
  }
  absl::Status AddBridge(const std::string& name) override;
  absl::Status DeleteLink(int index) override;
  absl::Status ChangeLink(int index, const LinkChange& change) override;
  absl::Status BringIn(int index, const std::string& name) override;

  absl::Status AddAddress(const LinkAddress& address) override;
  absl::Status DeleteAddress(const LinkAddress& address) override;
  absl::Status AddRoute(const LinkRoute& route) override;

  absl::Status AddIngress(int index) override;
  absl::Status DeleteIngress(int index) override;
  absl::Status RedirectIngress(int from, int to) override;

 private:
  // One change in one request; the kernel gives no order to several.
  absl::Status Change(int index, rtnl_link* changes, absl::string_view what);
  // IFF_…
  absl::Status SetFlag(int index, unsigned int flag, bool on, absl::string_view what);
  absl::Status SetMac(int index, const std::string& mac);

  const NetworkNamespace& netns_;
  const std::unique_ptr<NetlinkSocket> socket_;
  const UniqueFd device_socket_;  // For ioctl(2), see netdevice(7).
};

absl::StatusOr<LinkDriver> KernelNetlink::Driver(const std::string& name) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name.c_str());
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (::ioctl(device_socket_.get(), SIOCETHTOOL, &request) != 0) {
    return PosixError(errno, absl::StrCat("ask for the driver of ", name));
  }
  return LinkDriver{std::string(info.driver, strnlen(info.driver, sizeof info.driver)),
                    std::string(info.bus_info, strnlen(info.bus_info, sizeof info.bus_info))};
}

absl::Status KernelNetlink::AddMacvtap(const std::string& name, int lower, const std::string& mac) {
  const Link link(rtnl_link_macvtap_alloc());
  VCD_ASSIGN_OR_RETURN(const NlAddress address, ParseAddress(mac, AF_LLC));
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_link(link.get(), lower);
  if (address != nullptr) rtnl_link_set_addr(link.get(), address.get());
  rtnl_link_macvtap_set_mode(link.get(), static_cast<int>(rtnl_link_macvtap_str2mode("bridge")));
  return socket_->Result(rtnl_link_add(socket_->get(), link.get(), kMakeNew), absl::StrCat("make macvtap ", name));
}

absl::Status KernelNetlink::AddBridge(const std::string& name) {
  // By hand: libnl has no name for that property.
  NlPointer<nl_msg, nlmsg_free> message(nlmsg_alloc_simple(RTM_NEWLINK, kMakeNew));
  ifinfomsg header{};
  nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  nla_put_string(message.get(), IFLA_IFNAME, name.c_str());
  nlattr* const info = nla_nest_start(message.get(), IFLA_LINKINFO);
  nla_put_string(message.get(), IFLA_INFO_KIND, "bridge");
  nlattr* const data = nla_nest_start(message.get(), IFLA_INFO_DATA);
  nla_put_u8(message.get(), IFLA_BR_MCAST_SNOOPING, 0);
  nla_put_u32(message.get(), IFLA_BR_AGEING_TIME, 0);
  nla_nest_end(message.get(), data);
  nla_nest_end(message.get(), info);
  return socket_->Result(nl_send_sync(socket_->get(), message.release()), absl::StrCat("make bridge ", name));
}

absl::Status KernelNetlink::DeleteLink(int index) {
  const Link link(rtnl_link_alloc());
  rtnl_link_set_ifindex(link.get(), index);
  return socket_->Result(rtnl_link_delete(socket_->get(), link.get()), absl::StrCat("delete ", Named(index)));
}

absl::Status KernelNetlink::BringIn(int index, const std::string& name) {
  VCD_ASSIGN_OR_RETURN(const std::unique_ptr<NetlinkSocket> outside, NetlinkSocket::OpenHere());
  const Link link(rtnl_link_alloc());
  rtnl_link_set_ifindex(link.get(), index);
  const Link changes(rtnl_link_alloc());
  rtnl_link_set_name(changes.get(), name.c_str());
  rtnl_link_set_ns_fd(changes.get(), netns_.fd());
  return outside->Result(rtnl_link_change(outside->get(), link.get(), changes.get(), 0),
                         absl::StrCat("move ", Named(index), " into the pod's namespace as ", name));
}

absl::Status KernelNetlink::Change(int index, rtnl_link* changes, absl::string_view what) {
  const Link link(rtnl_link_alloc());
  rtnl_link_set_ifindex(link.get(), index);
  return socket_->Result(rtnl_link_change(socket_->get(), link.get(), changes, 0),
                         absl::StrCat("set ", what, " of ", Named(index)));
}

absl::Status KernelNetlink::SetFlag(int index, unsigned int flag, bool on, absl::string_view what) {
  const Link changes(rtnl_link_alloc());
  if (on) {
    rtnl_link_set_flags(changes.get(), flag);
  } else {
    rtnl_link_unset_flags(changes.get(), flag);
  }
  return Change(index, changes.get(), what);
}

absl::Status KernelNetlink::SetMac(int index, const std::string& mac) {
  const Link changes(rtnl_link_alloc());
  VCD_ASSIGN_OR_RETURN(const NlAddress address, ParseAddress(mac, AF_LLC));
  rtnl_link_set_addr(changes.get(), address.get());
  const absl::Status status = Change(index, changes.get(), "hardware address");
  // EBUSY: some drivers take another address only while the interface is down.
  if (status.code() != absl::StatusCode::kFailedPrecondition) return status;
  VCD_RETURN_IF_ERROR(SetFlag(index, IFF_UP, false, "down"));
  return Change(index, changes.get(), "hardware address");
}

absl::Status KernelNetlink::ChangeLink(int index, const LinkChange& change) {
  if (change.address_generation.has_value()) {
    const Link changes(rtnl_link_alloc());
    rtnl_link_inet6_set_addr_gen_mode(changes.get(), *change.address_generation);
    VCD_RETURN_IF_ERROR(Change(index, changes.get(), "IPv6 address generation"));
  }
  if (change.mac.has_value()) VCD_RETURN_IF_ERROR(SetMac(index, *change.mac));
  if (change.mtu.has_value()) {
    const Link changes(rtnl_link_alloc());
    rtnl_link_set_mtu(changes.get(), *change.mtu);
    VCD_RETURN_IF_ERROR(Change(index, changes.get(), "MTU"));
  }
  if (change.master.has_value()) {
    const Link changes(rtnl_link_alloc());
    rtnl_link_set_master(changes.get(), *change.master);
    VCD_RETURN_IF_ERROR(Change(index, changes.get(), "bridge"));
  }
  if (change.all_multicast.has_value()) {
    VCD_RETURN_IF_ERROR(SetFlag(index, IFF_ALLMULTI, *change.all_multicast, "reception of all groups"));
  }
  if (!change.up.has_value()) return absl::OkStatus();
  return SetFlag(index, IFF_UP, *change.up, *change.up ? "up" : "down");
}

absl::Status KernelNetlink::AddAddress(const LinkAddress& address) {
  VCD_ASSIGN_OR_RETURN(const Address added, ToLibrary(address));
  return socket_->Result(rtnl_addr_add(socket_->get(), added.get(), NLM_F_EXCL),
                         absl::StrCat("add address ", address.address, " to ", Named(address.link)));
}

absl::Status KernelNetlink::DeleteAddress(const LinkAddress& address) {
  VCD_ASSIGN_OR_RETURN(const Address deleted, ToLibrary(address));
  return socket_->Result(rtnl_addr_delete(socket_->get(), deleted.get(), 0),
                         absl::StrCat("delete address ", address.address, " of ", Named(address.link)));
}

absl::Status KernelNetlink::AddRoute(const LinkRoute& route) {
  VCD_ASSIGN_OR_RETURN(const Route added, ToLibrary(route));
  const std::string& destination = route.route.destination();
  return socket_->Result(
      rtnl_route_add(socket_->get(), added.get(), NLM_F_EXCL),
      absl::StrCat("add route to ", destination.empty() ? "all" : destination, " at ", Named(route.link)));
}

absl::Status KernelNetlink::AddIngress(int index) {
  const Qdisc qdisc(rtnl_qdisc_alloc());
  rtnl_tc_set_ifindex(TC_CAST(qdisc.get()), index);
  rtnl_tc_set_parent(TC_CAST(qdisc.get()), TC_H_INGRESS);
  rtnl_tc_set_handle(TC_CAST(qdisc.get()), kIngressHandle);
  rtnl_tc_set_kind(TC_CAST(qdisc.get()), "ingress");
  return socket_->Result(rtnl_qdisc_add(socket_->get(), qdisc.get(), kMakeNew),
                         absl::StrCat("add an ingress queueing discipline to ", Named(index)));
}

absl::Status KernelNetlink::DeleteIngress(int index) {
  const Qdisc qdisc(rtnl_qdisc_alloc());
  rtnl_tc_set_ifindex(TC_CAST(qdisc.get()), index);
  rtnl_tc_set_parent(TC_CAST(qdisc.get()), TC_H_INGRESS);
  return socket_->Result(rtnl_qdisc_delete(socket_->get(), qdisc.get()),
                         absl::StrCat("delete the ingress queueing discipline of ", Named(index)));
}

absl::Status KernelNetlink::RedirectIngress(int from, int to) {
  const Action action(rtnl_act_alloc());
  rtnl_tc_set_kind(TC_CAST(action.get()), "mirred");
  rtnl_mirred_set_action(action.get(), TCA_EGRESS_REDIR);
  rtnl_mirred_set_policy(action.get(), TC_ACT_STOLEN);
  rtnl_mirred_set_ifindex(action.get(), static_cast<uint32_t>(to));

  const Classifier filter(rtnl_cls_alloc());
  rtnl_tc_set_ifindex(TC_CAST(filter.get()), from);
  rtnl_tc_set_parent(TC_CAST(filter.get()), kIngressHandle);
  rtnl_tc_set_kind(TC_CAST(filter.get()), "u32");
  rtnl_cls_set_prio(filter.get(), 1);
  rtnl_cls_set_protocol(filter.get(), ETH_P_ALL);
  // Nothing of the packet is looked at: u32 does what `matchall`, which not every kernel has, is for.
  rtnl_u32_add_key_uint32(filter.get(), 0, 0, 0, 0);
  rtnl_u32_set_cls_terminal(filter.get());
  rtnl_u32_add_action(filter.get(), action.get());
  return socket_->Result(rtnl_cls_add(socket_->get(), filter.get(), kMakeNew),
                         absl::StrCat("redirect what comes in at ", Named(from), " to ", Named(to)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Netlink>> OpenKernelNetlink(const NetworkNamespace& netns) {
  VCD_ASSIGN_OR_RETURN(std::unique_ptr<NetlinkSocket> socket, NetlinkSocket::Open(netns));
  UniqueFd device_socket;
  VCD_RETURN_IF_ERROR(netns.Run([&device_socket] {
    device_socket.Reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return device_socket.valid() ? absl::OkStatus() : PosixError(errno, "open a socket");
  }));
  return std::make_unique<KernelNetlink>(netns, std::move(socket), std::move(device_socket));
}

}  // namespace vcd
