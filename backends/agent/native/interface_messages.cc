// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/interface_messages.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

struct Prefix {
  std::string address;  // Bytes in network order.
  uint32_t length = 0;
};

// Empty when it is no address.
std::string AddressBytes(const std::string& text) {
  char bytes[sizeof(in6_addr)];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return std::string(bytes, sizeof(in_addr));
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) return std::string(bytes, sizeof(in6_addr));
  return "";
}

absl::Status NoAddress(const std::string& field, const std::string& text) {
  return InvalidField(field, absl::StrCat("`", text, "` is no address"));
}

absl::StatusOr<Prefix> ParsePrefix(const std::string& field, const std::string& text) {
  const size_t slash = text.find('/');
  Prefix prefix;
  prefix.address = AddressBytes(text.substr(0, slash));
  if (prefix.address.empty()) return NoAddress(field, text);
  if (slash == std::string::npos || !absl::SimpleAtoi(text.substr(slash + 1), &prefix.length) ||
      prefix.length > prefix.address.size() * 8) {
    return InvalidField(field, absl::StrCat("`", text, "` has no length of a prefix, as in `10.88.0.7/16`"));
  }
  return prefix;
}

// The kernel refuses a destination with bits behind its prefix.
void ClearHostBits(Prefix& prefix) {
  for (size_t bit = prefix.length; bit < prefix.address.size() * 8; ++bit) {
    prefix.address[bit / 8] = static_cast<char>(prefix.address[bit / 8] & ~(0x80 >> bit % 8));
  }
}

absl::StatusOr<uint32_t> ScopeOf(const std::string& field, const std::string& scope) {
  if (scope.empty() || scope == "global") return uint32_t{RT_SCOPE_UNIVERSE};
  if (scope == "link") return uint32_t{RT_SCOPE_LINK};
  if (scope == "host") return uint32_t{RT_SCOPE_HOST};
  return InvalidField(field, absl::StrCat("`", scope, "` is none of `global`, `link` and `host`"));
}

absl::StatusOr<agent::v1::Route> ToAgentRoute(const std::string& field, const v1::Route& route) {
  agent::v1::Route message;
  const auto address = [&](const char* name, const std::string& text, std::string* bytes) {
    if (text.empty()) return absl::OkStatus();
    *bytes = AddressBytes(text);
    return bytes->empty() ? NoAddress(absl::StrCat(field, ".", name), text) : absl::OkStatus();
  };
  VCD_RETURN_IF_ERROR(address("gateway", route.gateway(), message.mutable_gateway()));
  VCD_RETURN_IF_ERROR(address("source", route.source(), message.mutable_source()));
  Prefix destination;
  if (route.destination().empty()) {
    const bool ipv6 = message.gateway().empty() ? route.ipv6() : message.gateway().size() == sizeof(in6_addr);
    destination.address.assign(ipv6 ? sizeof(in6_addr) : sizeof(in_addr), '\0');
  } else {
    VCD_ASSIGN_OR_RETURN(destination, ParsePrefix(absl::StrCat(field, ".destination"), route.destination()));
    ClearHostBits(destination);
  }
  for (const std::string* other : {&message.gateway(), &message.source()}) {
    if (!other->empty() && other->size() != destination.address.size()) {
      return InvalidField(field, "mixes IPv4 and IPv6");
    }
  }
  message.set_destination(destination.address);
  message.set_prefix_length(destination.length);
  message.set_metric(route.metric());
  message.set_mtu(route.mtu());
  VCD_ASSIGN_OR_RETURN(const uint32_t scope, ScopeOf(absl::StrCat(field, ".scope"), route.scope()));
  message.set_scope(scope);
  message.set_onlink(route.onlink());
  return message;
}

}  // namespace

absl::StatusOr<std::string> MacBytes(const std::string& field, const std::string& text) {
  std::string bytes;
  for (size_t at = 0; at + 1 < text.size() && bytes.size() < 6; at += 3) {
    uint32_t byte = 0;
    const bool separated = at + 2 == text.size() || text[at + 2] == ':';
    const bool digits = absl::ascii_isxdigit(static_cast<unsigned char>(text[at])) &&
                        absl::ascii_isxdigit(static_cast<unsigned char>(text[at + 1]));
    if (!separated || !digits || !absl::SimpleHexAtoi(text.substr(at, 2), &byte)) break;
    bytes.push_back(static_cast<char>(byte));
  }
  if (bytes.size() == 6 && text.size() == 17) return bytes;
  return InvalidField(field, absl::StrCat("`", text, "` is no hardware address, as `02:00:00:00:00:01` is"));
}

absl::StatusOr<agent::v1::SetInterface> ToAgentInterface(const v1::PodInterface& interface) {
  agent::v1::SetInterface message;
  VCD_ASSIGN_OR_RETURN(*message.mutable_mac(), MacBytes("interface.mac", interface.mac()));
  message.set_name(interface.name());
  message.set_mtu(interface.mtu());
  for (int i = 0; i < interface.addresses_size(); ++i) {
    VCD_ASSIGN_OR_RETURN(const Prefix prefix,
                         ParsePrefix(absl::StrCat("interface.addresses[", i, "]"), interface.addresses(i)));
    message.add_addresses()->set_address(prefix.address);
    message.mutable_addresses(i)->set_prefix_length(prefix.length);
  }
  for (int i = 0; i < interface.routes_size(); ++i) {
    VCD_ASSIGN_OR_RETURN(*message.add_routes(),
                         ToAgentRoute(absl::StrCat("interface.routes[", i, "]"), interface.routes(i)));
  }
  for (int i = 0; i < interface.neighbors_size(); ++i) {
    const std::string field = absl::StrCat("interface.neighbors[", i, "]");
    agent::v1::Neighbor& neighbor = *message.add_neighbors();
    neighbor.set_address(AddressBytes(interface.neighbors(i).ip()));
    if (neighbor.address().empty()) return NoAddress(field + ".ip", interface.neighbors(i).ip());
    VCD_ASSIGN_OR_RETURN(*neighbor.mutable_mac(), MacBytes(field + ".mac", interface.neighbors(i).mac()));
  }
  return message;
}

absl::Status CheckDial(const GuestDial& dial) {
  if (dial.port == 0) return InvalidField("port", "is 0; ports are 1 … 65535");
  if (!dial.address.empty() && AddressBytes(dial.address).empty()) return NoAddress("address", dial.address);
  return absl::OkStatus();
}

}  // namespace vcd
