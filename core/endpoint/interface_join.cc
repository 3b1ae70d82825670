// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/interface_join.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/endpoint/route_order.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using state::v1::JoinedInterface;

constexpr char kTapPrefix[] = "vcdt";
constexpr char kBridgePrefix[] = "vcdb";
constexpr char kMacvtapPrefix[] = "vcdm";
constexpr uint8_t kNoLinkLocalAddress = 1;  // IN6_ADDR_GEN_MODE_NONE
constexpr uint32_t kRouteOfTheKernel = 2;   // RTPROT_KERNEL

// That of earlier records too.
bool IsRedirect(const JoinedInterface& joined) {
  return joined.join() != v1::INTERFACE_JOIN_BRIDGE && joined.join() != v1::INTERFACE_JOIN_MACVTAP;
}

std::string TapOf(const JoinedInterface& joined) { return absl::StrCat(kTapPrefix, joined.index()); }
std::string BridgeOf(const JoinedInterface& joined) { return absl::StrCat(kBridgePrefix, joined.index()); }
std::string MacvtapOf(const JoinedInterface& joined) { return absl::StrCat(kMacvtapPrefix, joined.index()); }

absl::StatusOr<std::optional<NetworkLink>> Find(Netlink& netlink, const std::string& name) {
  VCD_ASSIGN_OR_RETURN(const std::vector<NetworkLink> links, netlink.Links());
  for (const NetworkLink& link : links) {
    if (link.name == name) return link;
  }
  return std::optional<NetworkLink>();
}

absl::StatusOr<NetworkLink> MustFind(Netlink& netlink, const std::string& name) {
  VCD_ASSIGN_OR_RETURN(const std::optional<NetworkLink> link, Find(netlink, name));
  if (link.has_value()) return *link;
  return absl::FailedPreconditionError(absl::StrCat(name, " is gone"));
}

// Another one of that name may have come.
absl::StatusOr<std::optional<NetworkLink>> FindJoined(Netlink& netlink, const JoinedInterface& joined) {
  VCD_ASSIGN_OR_RETURN(std::optional<NetworkLink> link, Find(netlink, joined.name()));
  if (link.has_value() && link->index != joined.index()) link.reset();
  return link;
}

absl::StatusOr<bool> HasIngress(Netlink& netlink, int index) {
  VCD_ASSIGN_OR_RETURN(const std::vector<int> links, netlink.LinksWithIngress());
  return std::count(links.begin(), links.end(), index) != 0;
}

// A wire: nobody speaks on it but the guest.
LinkChange Silent(const NetworkLink& link) {
  LinkChange change;
  if (link.address_generation.has_value()) change.address_generation = kNoLinkLocalAddress;
  return change;
}

LinkAddress FromRecord(const JoinedInterface& joined, const state::v1::SavedAddress& saved) {
  LinkAddress address;
  address.link = joined.index();
  address.address = saved.address();
  address.peer = saved.peer();
  address.broadcast = saved.broadcast();
  address.label = saved.label();
  address.scope = saved.scope();
  address.flags = saved.flags();
  return address;
}

absl::Status MakeRedirect(Netlink& netlink, const JoinedInterface& joined, const NetworkLink& tap,
                          const NetworkLink& link) {
  LinkChange change = Silent(tap);
  change.mtu = link.mtu;
  change.up = true;
  VCD_RETURN_IF_ERROR(netlink.ChangeLink(tap.index, change));
  VCD_RETURN_IF_ERROR(netlink.AddIngress(tap.index));
  VCD_RETURN_IF_ERROR(netlink.AddIngress(joined.index()));
  VCD_RETURN_IF_ERROR(netlink.RedirectIngress(tap.index, joined.index()));
  VCD_RETURN_IF_ERROR(netlink.RedirectIngress(joined.index(), tap.index));
  if (link.up) return absl::OkStatus();
  LinkChange up;
  up.up = true;
  return netlink.ChangeLink(joined.index(), up);
}

// What the guest has from now on.
absl::Status GiveAway(Netlink& netlink, const JoinedInterface& joined, const NetworkLink& link,
                      const std::string& spare_mac, std::optional<int> master) {
  LinkChange change = Silent(link);
  VCD_RETURN_IF_ERROR(netlink.ChangeLink(link.index, change));
  for (const state::v1::SavedAddress& saved : joined.addresses()) {
    VCD_RETURN_IF_ERROR(netlink.DeleteAddress(FromRecord(joined, saved)));
  }
  change = LinkChange();
  change.mac = spare_mac;
  change.master = master;
  change.up = true;
  return netlink.ChangeLink(link.index, change);
}

absl::Status MakeBridge(Netlink& netlink, const JoinedInterface& joined, const NetworkLink& tap,
                        const NetworkLink& link, const std::string& spare_mac) {
  VCD_RETURN_IF_ERROR(netlink.AddBridge(BridgeOf(joined)));
  VCD_ASSIGN_OR_RETURN(const NetworkLink bridge, MustFind(netlink, BridgeOf(joined)));
  VCD_RETURN_IF_ERROR(GiveAway(netlink, joined, link, spare_mac, bridge.index));
  LinkChange change = Silent(tap);
  change.mtu = link.mtu;
  change.master = bridge.index;
  change.up = true;
  VCD_RETURN_IF_ERROR(netlink.ChangeLink(tap.index, change));
  change = Silent(bridge);
  change.up = true;
  return netlink.ChangeLink(bridge.index, change);
}

absl::StatusOr<std::vector<UniqueFd>> MakeMacvtap(Netlink& netlink, const JoinedInterface& joined,
                                                  const NetworkLink& link, const std::string& spare_mac,
                                                  uint32_t queues) {
  // No two of them may have one hardware address.
  VCD_RETURN_IF_ERROR(GiveAway(netlink, joined, link, spare_mac, std::nullopt));
  VCD_RETURN_IF_ERROR(netlink.AddMacvtap(MacvtapOf(joined), joined.index(), joined.mac()));
  VCD_ASSIGN_OR_RETURN(const NetworkLink macvtap, MustFind(netlink, MacvtapOf(joined)));
  LinkChange change = Silent(macvtap);
  change.mtu = link.mtu;
  // Which groups the guest joins, IPv6's for its own addresses among them, nobody tells the macvtap.
  change.all_multicast = true;
  change.up = true;
  VCD_RETURN_IF_ERROR(netlink.ChangeLink(macvtap.index, change));
  return netlink.OpenMacvtap(macvtap, queues);
}

absl::Status DeleteIfThere(Netlink& netlink, const std::string& name) {
  VCD_ASSIGN_OR_RETURN(const std::optional<NetworkLink> link, Find(netlink, name));
  if (!link.has_value()) return absl::OkStatus();
  const absl::Status deleted = netlink.DeleteLink(link->index);
  return absl::IsNotFound(deleted) ? absl::OkStatus() : deleted;
}

// What is there already, from the undo of before, is no error.
absl::Status Restored(const absl::Status& added) { return absl::IsAlreadyExists(added) ? absl::OkStatus() : added; }

}  // namespace

bool IsMadeByJoin(const NetworkLink& link) {
  for (const char* prefix : {kTapPrefix, kBridgePrefix, kMacvtapPrefix}) {
    if (absl::StartsWith(link.name, prefix)) return true;
  }
  return false;
}

bool LendsAddresses(const JoinedInterface& joined) {
  return joined.kind() == v1::INTERFACE_KIND_VIRTUAL && !IsRedirect(joined);
}

std::vector<v1::InterfaceJoin> JoinsFor(v1::InterfaceJoin asked) {
  if (asked != v1::INTERFACE_JOIN_UNSPECIFIED) return {asked};
  return {v1::INTERFACE_JOIN_TC_REDIRECT, v1::INTERFACE_JOIN_BRIDGE, v1::INTERFACE_JOIN_MACVTAP};
}

JoinedInterface PlanJoin(const NetworkLink& link, v1::InterfaceJoin join, const std::vector<LinkAddress>& addresses,
                         const std::vector<LinkRoute>& routes) {
  JoinedInterface joined;
  joined.set_name(link.name);
  joined.set_index(link.index);
  joined.set_kind(v1::INTERFACE_KIND_VIRTUAL);
  joined.set_join(join);
  if (!IsRedirect(joined)) SaveInterface(link, addresses, routes, &joined);
  return joined;
}

void SaveInterface(const NetworkLink& link, const std::vector<LinkAddress>& addresses,
                   const std::vector<LinkRoute>& routes, JoinedInterface* joined) {
  joined->set_mac(link.mac);
  joined->set_up(link.up);
  if (link.address_generation.has_value()) joined->set_address_generation(*link.address_generation);
  for (const LinkAddress& address : addresses) {
    if (address.link != link.index) continue;
    state::v1::SavedAddress& saved = *joined->add_addresses();
    saved.set_address(address.address);
    saved.set_peer(address.peer);
    saved.set_broadcast(address.broadcast);
    saved.set_label(address.label);
    saved.set_scope(address.scope);
    saved.set_flags(address.flags);
  }
  for (const LinkRoute& route : routes) {
    if (route.link != link.index || route.protocol == kRouteOfTheKernel) continue;
    state::v1::SavedRoute& saved = *joined->add_routes();
    *saved.mutable_route() = route.route;
    saved.set_protocol(route.protocol);
  }
}

absl::Status RestoreInterface(Netlink& netlink, const JoinedInterface& joined) {
  VCD_ASSIGN_OR_RETURN(const std::optional<NetworkLink> link, FindJoined(netlink, joined));
  if (!link.has_value()) return absl::OkStatus();
  LinkChange change;
  if (link->master != 0) change.master = 0;
  if (link->mac != joined.mac()) change.mac = joined.mac();
  if (joined.has_address_generation()) change.address_generation = static_cast<uint8_t>(joined.address_generation());
  // It may be down: some drivers take a hardware address only then.
  change.up = joined.up();
  absl::Status status = netlink.ChangeLink(link->index, change);
  std::vector<std::string> addresses;
  for (const state::v1::SavedAddress& saved : joined.addresses()) {
    addresses.push_back(saved.address());
    status.Update(Restored(netlink.AddAddress(FromRecord(joined, saved))));
  }
  std::vector<LinkRoute> routes;
  for (const state::v1::SavedRoute& saved : joined.routes()) {
    routes.push_back({joined.index(), saved.route(), saved.protocol()});
  }
  OrderRoutes(addresses, routes);
  for (const LinkRoute& route : routes) status.Update(Restored(netlink.AddRoute(route)));
  return status;
}

absl::StatusOr<std::vector<UniqueFd>> MakeJoin(Netlink& netlink, const JoinedInterface& joined,
                                               const std::string& spare_mac, uint32_t queues) {
  VCD_ASSIGN_OR_RETURN(const NetworkLink link, MustFind(netlink, joined.name()));
  if (joined.join() == v1::INTERFACE_JOIN_MACVTAP) return MakeMacvtap(netlink, joined, link, spare_mac, queues);
  VCD_ASSIGN_OR_RETURN(std::vector<UniqueFd> taps, netlink.OpenTap(TapOf(joined), queues, /*existing=*/false));
  VCD_ASSIGN_OR_RETURN(const NetworkLink tap, MustFind(netlink, TapOf(joined)));
  VCD_RETURN_IF_ERROR(IsRedirect(joined) ? MakeRedirect(netlink, joined, tap, link)
                                         : MakeBridge(netlink, joined, tap, link, spare_mac));
  return taps;
}

absl::Status UndoJoin(Netlink& netlink, const JoinedInterface& joined) {
  if (IsRedirect(joined)) {
    VCD_ASSIGN_OR_RETURN(const std::optional<NetworkLink> link, FindJoined(netlink, joined));
    VCD_ASSIGN_OR_RETURN(const bool taken, HasIngress(netlink, joined.index()));
    if (!link.has_value() || !taken) return absl::OkStatus();
    const absl::Status deleted = netlink.DeleteIngress(joined.index());
    return absl::IsNotFound(deleted) ? absl::OkStatus() : deleted;
  }
  absl::Status status =
      DeleteIfThere(netlink, joined.join() == v1::INTERFACE_JOIN_BRIDGE ? BridgeOf(joined) : MacvtapOf(joined));
  status.Update(RestoreInterface(netlink, joined));
  return status;
}

absl::Status CheckJoin(Netlink& netlink, const JoinedInterface& joined) {
  bool leads = false;
  if (IsRedirect(joined)) {
    VCD_ASSIGN_OR_RETURN(leads, HasIngress(netlink, joined.index()));
  } else if (joined.join() == v1::INTERFACE_JOIN_MACVTAP) {
    VCD_ASSIGN_OR_RETURN(const std::optional<NetworkLink> macvtap, Find(netlink, MacvtapOf(joined)));
    leads = macvtap.has_value();
  } else {
    VCD_ASSIGN_OR_RETURN(const std::optional<NetworkLink> bridge, Find(netlink, BridgeOf(joined)));
    VCD_ASSIGN_OR_RETURN(const std::optional<NetworkLink> link, FindJoined(netlink, joined));
    leads = bridge.has_value() && link.has_value() && link->master == bridge->index;
  }
  if (leads) return absl::OkStatus();
  return absl::FailedPreconditionError("it no longer leads to the machine; stop the pod and start it again");
}

}  // namespace vcd
