// SPDX-License-Identifier: Apache-2.0
#include "core/netlink/link_dump.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/addr.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/ipvlan.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/route.h>
#include <netlink/route/tc.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// An IP or hardware address without its prefix; empty for none.
std::string Text(nl_addr* address) {
  if (address == nullptr || nl_addr_get_len(address) == 0) return {};
  char text[INET6_ADDRSTRLEN + 8];
  std::string whole = nl_addr2str(address, text, sizeof text);
  return whole.substr(0, whole.find('/'));
}

std::string TextWithPrefix(nl_addr* address) {
  const std::string text = Text(address);
  return text.empty() ? text : absl::StrCat(text, "/", nl_addr_get_prefixlen(address));
}

std::string OrEmpty(const char* text) { return text == nullptr ? std::string() : std::string(text); }

// Calls `visit` with every object of a cache.
template <typename Object, typename Visit>
void ForEach(const NlCache& cache, const Visit& visit) {
  for (nl_object* next = nl_cache_get_first(cache.get()); next != nullptr; next = nl_cache_get_next(next)) {
    visit(reinterpret_cast<Object*>(next));
  }
}

bool IsInternet(int family) { return family == AF_INET || family == AF_INET6; }

NetworkLink ToLink(rtnl_link* link) {
  NetworkLink result;
  result.index = rtnl_link_get_ifindex(link);
  result.name = OrEmpty(rtnl_link_get_name(link));
  result.kind = OrEmpty(rtnl_link_get_type(link));
  result.mac = Text(rtnl_link_get_addr(link));
  result.mtu = rtnl_link_get_mtu(link);
  result.up = (rtnl_link_get_flags(link) & IFF_UP) != 0;
  result.loopback = (rtnl_link_get_flags(link) & IFF_LOOPBACK) != 0;
  result.ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER;
  uint16_t mode = IPVLAN_MODE_L2;
  if (rtnl_link_is_ipvlan(link) != 0 && rtnl_link_ipvlan_get_mode(link, &mode) == 0) {
    result.answers_arp = mode == IPVLAN_MODE_L2;
  }
  result.master = rtnl_link_get_master(link);
  result.peer = rtnl_link_get_link(link);
  uint8_t generation = 0;
  if (rtnl_link_inet6_get_addr_gen_mode(link, &generation) == 0) result.address_generation = generation;
  return result;
}

LinkAddress ToAddress(rtnl_addr* address) {
  LinkAddress result;
  result.link = rtnl_addr_get_ifindex(address);
  result.address = TextWithPrefix(rtnl_addr_get_local(address));
  result.peer = TextWithPrefix(rtnl_addr_get_peer(address));
  result.broadcast = Text(rtnl_addr_get_broadcast(address));
  result.label = OrEmpty(rtnl_addr_get_label(address));
  result.scope = static_cast<uint32_t>(rtnl_addr_get_scope(address));
  result.flags = rtnl_addr_get_flags(address);
  return result;
}

std::string ScopeText(int scope) {
  if (scope == RT_SCOPE_LINK) return "link";
  return scope == RT_SCOPE_HOST ? "host" : "";
}

// All of a route but its next hop.
LinkRoute ToRoute(rtnl_route* route) {
  LinkRoute result;
  result.protocol = rtnl_route_get_protocol(route);
  nl_addr* const destination = rtnl_route_get_dst(route);
  if (destination != nullptr && nl_addr_get_prefixlen(destination) != 0) {
    result.route.set_destination(TextWithPrefix(destination));
  }
  result.route.set_source(Text(rtnl_route_get_pref_src(route)));
  result.route.set_metric(rtnl_route_get_priority(route));
  uint32_t mtu = 0;
  if (rtnl_route_get_metric(route, RTAX_MTU, &mtu) == 0) result.route.set_mtu(mtu);
  result.route.set_scope(ScopeText(rtnl_route_get_scope(route)));
  return result;
}

void AppendNextHops(rtnl_route* route, std::vector<LinkRoute>& routes) {
  const int count = rtnl_route_get_nnexthops(route);
  for (int i = 0; i < count; ++i) {
    rtnl_nexthop* const hop = rtnl_route_nexthop_n(route, i);
    LinkRoute result = ToRoute(route);
    result.link = rtnl_route_nh_get_ifindex(hop);
    nl_addr* const gateway = rtnl_route_nh_get_gateway(hop);
    result.route.set_gateway(Text(gateway != nullptr ? gateway : rtnl_route_nh_get_via(hop)));
    result.route.set_onlink((rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK) != 0);
    const bool unnamed = result.route.destination().empty() && result.route.gateway().empty();
    result.route.set_ipv6(unnamed && rtnl_route_get_family(route) == AF_INET6);
    routes.push_back(std::move(result));
  }
}

}  // namespace

absl::StatusOr<std::vector<NetworkLink>> DumpLinks(NetlinkSocket& socket) {
  VCD_ASSIGN_OR_RETURN(const NlCache cache, socket.Dump("list interfaces", [](nl_sock* sock, nl_cache** result) {
    return rtnl_link_alloc_cache(sock, AF_UNSPEC, result);
  }));
  std::vector<NetworkLink> links;
  ForEach<rtnl_link>(cache, [&links](rtnl_link* link) { links.push_back(ToLink(link)); });
  std::sort(links.begin(), links.end(), [](const NetworkLink& a, const NetworkLink& b) { return a.index < b.index; });
  return links;
}

absl::StatusOr<std::vector<LinkAddress>> DumpAddresses(NetlinkSocket& socket) {
  VCD_ASSIGN_OR_RETURN(const NlCache cache, socket.Dump("list addresses", rtnl_addr_alloc_cache));
  std::vector<LinkAddress> addresses;
  ForEach<rtnl_addr>(cache, [&addresses](rtnl_addr* address) {
    if (IsInternet(rtnl_addr_get_family(address))) addresses.push_back(ToAddress(address));
  });
  return addresses;
}

absl::StatusOr<std::vector<LinkRoute>> DumpRoutes(NetlinkSocket& socket) {
  VCD_ASSIGN_OR_RETURN(const NlCache cache, socket.Dump("list routes", [](nl_sock* sock, nl_cache** result) {
    return rtnl_route_alloc_cache(sock, AF_UNSPEC, 0, result);
  }));
  std::vector<LinkRoute> routes;
  ForEach<rtnl_route>(cache, [&routes](rtnl_route* route) {
    if (!IsInternet(rtnl_route_get_family(route)) || rtnl_route_get_table(route) != RT_TABLE_MAIN) return;
    if (rtnl_route_get_type(route) == RTN_UNICAST) AppendNextHops(route, routes);
  });
  return routes;
}

absl::StatusOr<std::vector<LinkNeighbor>> DumpNeighbors(NetlinkSocket& socket) {
  VCD_ASSIGN_OR_RETURN(const NlCache cache, socket.Dump("list neighbours", rtnl_neigh_alloc_cache));
  std::vector<LinkNeighbor> neighbors;
  ForEach<rtnl_neigh>(cache, [&neighbors](rtnl_neigh* neighbor) {
    if (!IsInternet(rtnl_neigh_get_family(neighbor)) || rtnl_neigh_get_state(neighbor) != NUD_PERMANENT) return;
    LinkNeighbor result;
    result.link = rtnl_neigh_get_ifindex(neighbor);
    result.neighbor.set_ip(Text(rtnl_neigh_get_dst(neighbor)));
    result.neighbor.set_mac(Text(rtnl_neigh_get_lladdr(neighbor)));
    neighbors.push_back(std::move(result));
  });
  return neighbors;
}

absl::StatusOr<std::vector<int>> DumpLinksWithIngress(NetlinkSocket& socket) {
  VCD_ASSIGN_OR_RETURN(const NlCache cache, socket.Dump("list queueing disciplines", rtnl_qdisc_alloc_cache));
  std::vector<int> links;
  ForEach<rtnl_qdisc>(cache, [&links](rtnl_qdisc* qdisc) {
    if (rtnl_tc_get_parent(TC_CAST(qdisc)) == TC_H_INGRESS) links.push_back(rtnl_tc_get_ifindex(TC_CAST(qdisc)));
  });
  return links;
}

}  // namespace vcd
