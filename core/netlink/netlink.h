// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETLINK_NETLINK_H_
#define VCD_CORE_NETLINK_NETLINK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/netns/network_namespace.h"
#include "core/os/unique_fd.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// A network interface of the host.
struct NetworkLink {
  int index = 0;
  std::string name;
  std::string kind;  // `veth`, `macvlan`, `tun`, `bridge` …; empty for a device.
  std::string mac;   // `02:00:5e:00:53:01`; empty when it has none.
  uint32_t mtu = 0;
  bool up = false;
  bool loopback = false;
  bool ethernet = false;    // Frames have Ethernet's header.
  bool answers_arp = true;  // False where the kernel neither asks nor answers, as on ipvlan in its modes l3 and l3s.
  int master = 0;           // Index of the bridge or bond that it is a port of.
  int peer = 0;             // Index of the other end or of what it is on top of, there where that is.
  // How IPv6 link-local addresses come about (IN6_ADDR_GEN_MODE_…); none where the kernel has no IPv6.
  std::optional<uint8_t> address_generation;
};

// An address of an interface.
struct LinkAddress {
  int link = 0;         // Index.
  std::string address;  // `10.88.0.7/16`
  std::string peer;     // With a prefix; empty when there is none.
  std::string broadcast;
  std::string label;   // Of IPv4; empty is the interface's name.
  uint32_t scope = 0;  // RT_SCOPE_…
  uint32_t flags = 0;  // IFA_F_…
};

// A route of the main table, of one interface.
struct LinkRoute {
  int link = 0;  // Index.
  v1::Route route;
  uint32_t protocol = 0;  // RTPROT_…: who made it.
};

// An entry of the neighbour table that somebody set for good.
struct LinkNeighbor {
  int link = 0;  // Index.
  v1::Neighbor neighbor;
};

// What to change of an interface; what is absent stays.
struct LinkChange {
  std::optional<std::string> mac;
  std::optional<uint32_t> mtu;
  std::optional<int> master;  // 0 takes it out.
  std::optional<uint8_t> address_generation;
  std::optional<bool> all_multicast;  // Takes packets to groups that nobody here has joined.
  std::optional<bool> up;             // Last of all.
};

// The driver of an interface, in its own words.
struct LinkDriver {
  std::string name;      // `e1000e`
  std::string bus_info;  // `0000:01:00.0` for PCI.
};

// The interfaces of one network namespace, whatever namespace its callers are in. Calls take milliseconds. Errors are
// the kernel's, and name the interface and the step: kNotFound where something is not there, kAlreadyExists where it
// is. Not thread-safe.
class Netlink {
 public:
  virtual ~Netlink() = default;

  // In the order of their indexes.
  virtual absl::StatusOr<std::vector<NetworkLink>> Links() = 0;
  // IPv4 and IPv6, in the kernel's order.
  virtual absl::StatusOr<std::vector<LinkAddress>> Addresses() = 0;
  // The unicast routes of the main table, in the kernel's order; of one with several next hops, each that is a link's.
  virtual absl::StatusOr<std::vector<LinkRoute>> Routes() = 0;
  virtual absl::StatusOr<std::vector<LinkNeighbor>> Neighbors() = 0;
  // Indexes of the interfaces that have a queueing discipline for what comes in.
  virtual absl::StatusOr<std::vector<int>> LinksWithIngress() = 0;
  // kUnimplemented for one that has no driver to ask.
  virtual absl::StatusOr<LinkDriver> Driver(const std::string& name) = 0;

  // Descriptors of a tap, as many as `queues`, without packet information and with virtio's header: of a new one, which
  // is gone with the last of them, or, when `existing`, of one that is there.
  virtual absl::StatusOr<std::vector<UniqueFd>> OpenTap(const std::string& name, uint32_t queues, bool existing) = 0;
  // A new macvtap on top of an interface, in bridge mode, down.
  virtual absl::Status AddMacvtap(const std::string& name, int lower, const std::string& mac) = 0;
  // As OpenTap, of a macvtap that is there. Needs no /dev.
  virtual absl::StatusOr<std::vector<UniqueFd>> OpenMacvtap(const NetworkLink& link, uint32_t queues) = 0;
  // A new bridge without ports, down, that forwards every packet to all other ports: it remembers no address, which a
  // network that sends a port's own packets back to it would teach it wrong.
  virtual absl::Status AddBridge(const std::string& name) = 0;
  virtual absl::Status DeleteLink(int index) = 0;
  virtual absl::Status ChangeLink(int index, const LinkChange& change) = 0;
  // Moves an interface of the daemon's own namespace in, under that name; `index` is that which it has there. It is
  // down then, without addresses.
  virtual absl::Status BringIn(int index, const std::string& name) = 0;

  virtual absl::Status AddAddress(const LinkAddress& address) = 0;
  virtual absl::Status DeleteAddress(const LinkAddress& address) = 0;
  virtual absl::Status AddRoute(const LinkRoute& route) = 0;

  // A queueing discipline for what comes in, and its end, with all filters.
  virtual absl::Status AddIngress(int index) = 0;
  virtual absl::Status DeleteIngress(int index) = 0;
  // All that comes in at one goes out at the other, and nowhere else. Needs AddIngress.
  virtual absl::Status RedirectIngress(int from, int to) = 0;
};

// How to get at the interfaces of a namespace; tests bring others.
using NetlinkFactory = std::function<absl::StatusOr<std::unique_ptr<Netlink>>(const NetworkNamespace& netns)>;

}  // namespace vcd

#endif  // VCD_CORE_NETLINK_NETLINK_H_
