// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/route_order.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"

namespace vcd {
namespace {

struct Prefix {
  int family = AF_INET;
  std::array<uint8_t, 16> bytes{};
  uint32_t length = 0;

  bool Holds(const Prefix& other) const {
    if (family != other.family || length > other.length) return false;
    for (uint32_t bit = 0; bit < length; ++bit) {
      const uint8_t mask = static_cast<uint8_t>(0x80u >> (bit % 8));
      if ((bytes[bit / 8] & mask) != (other.bytes[bit / 8] & mask)) return false;
    }
    return true;
  }
};

// An address, whole or with a prefix.
std::optional<Prefix> ParsePrefix(const std::string& text) {
  const size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  Prefix prefix;
  prefix.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (::inet_pton(prefix.family, address.c_str(), prefix.bytes.data()) != 1) return std::nullopt;
  const uint32_t whole = prefix.family == AF_INET ? 32 : 128;
  prefix.length = whole;
  if (slash == std::string::npos) return prefix;
  if (!absl::SimpleAtoi(text.substr(slash + 1), &prefix.length) || prefix.length > whole) return std::nullopt;
  return prefix;
}

// Every address of the route's family.
Prefix Everything(const v1::Route& route) {
  Prefix all;
  all.family = route.ipv6() ? AF_INET6 : AF_INET;
  return all;
}

int Rank(const v1::Route& route) { return (route.destination().empty() ? 2 : 0) + (route.gateway().empty() ? 0 : 1); }

bool CanBeSet(const v1::Route& route, const std::vector<Prefix>& reachable) {
  if (route.gateway().empty() || route.onlink()) return true;
  const std::optional<Prefix> gateway = ParsePrefix(route.gateway());
  if (!gateway.has_value()) return false;
  return std::any_of(reachable.begin(), reachable.end(), [&](const Prefix& prefix) { return prefix.Holds(*gateway); });
}

}  // namespace

void OrderRoutes(const std::vector<std::string>& addresses, std::vector<LinkRoute>& routes) {
  // A gateway of the link's own, as routers announce themselves, needs no address of the pod's.
  std::vector<Prefix> reachable = {*ParsePrefix("fe80::/10")};
  for (const std::string& address : addresses) {
    if (const std::optional<Prefix> prefix = ParsePrefix(address); prefix.has_value()) reachable.push_back(*prefix);
  }
  std::vector<LinkRoute> pending = std::move(routes);
  routes.clear();
  std::stable_sort(pending.begin(), pending.end(),
                   [](const LinkRoute& a, const LinkRoute& b) { return Rank(a.route) < Rank(b.route); });
  while (!pending.empty()) {
    auto next = std::find_if(pending.begin(), pending.end(),
                             [&](const LinkRoute& route) { return CanBeSet(route.route, reachable); });
    if (next == pending.end()) break;
    if (next->route.gateway().empty()) {
      const std::optional<Prefix> on_link = ParsePrefix(next->route.destination());
      reachable.push_back(on_link.value_or(Everything(next->route)));
    }
    routes.push_back(std::move(*next));
    pending.erase(next);
  }
  std::move(pending.begin(), pending.end(), std::back_inserter(routes));
}

}  // namespace vcd
