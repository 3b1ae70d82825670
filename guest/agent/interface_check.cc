// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/interface_check.h"

#include <arpa/inet.h>
#include <sys/socket.h>

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::SetInterface;

constexpr size_t kMacSize = 6;
constexpr size_t kMaxNameSize = 15;
constexpr uint32_t kMaxMtu = 65535;
constexpr uint32_t kMaxScope = 255;

bool IsAddress(const std::string& bytes) { return bytes.size() == 4 || bytes.size() == 16; }
bool FitsPrefix(const std::string& address, uint32_t length) { return length <= address.size() * 8; }

// The kernel would take some that nobody can use in a path or a command.
bool IsName(const std::string& name) {
  if (name.empty() || name.size() > kMaxNameSize || name == "." || name == ".." || name == "lo") return false;
  for (const char c : name) {
    if (c <= ' ' || c == 0x7f || c == '/' || c == ':' || c == '%') return false;
  }
  return true;
}

}  // namespace

std::string AddressText(const std::string& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (IsAddress(address)) ::inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof(text));
  return text;
}

std::string MacText(const std::string& mac) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : mac) {
    const auto byte = static_cast<unsigned char>(c);
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Outcome CheckMac(const std::string& mac) {
  return mac.size() == kMacSize ? Outcome() : Invalid("a hardware address has six bytes");
}

Outcome CheckInterface(const SetInterface& request) {
  if (Outcome checked = CheckMac(request.mac()); !checked.ok()) return checked;
  if (!IsName(request.name())) return Invalid("no interface can be called \"" + request.name() + "\"");
  const auto wrong = [&request](const std::string& what) {
    return Invalid("interface " + request.name() + ": " + what);
  };
  if (request.mtu() > kMaxMtu) return wrong("an MTU of " + std::to_string(request.mtu()) + " is too large");
  for (const auto& address : request.addresses()) {
    if (!IsAddress(address.address())) return wrong("an address has 4 or 16 bytes");
    if (!FitsPrefix(address.address(), address.prefix_length())) {
      return wrong("the prefix of the address " + AddressText(address.address()) + " is too long");
    }
  }
  for (const auto& neighbor : request.neighbors()) {
    if (!IsAddress(neighbor.address())) return wrong("the address of a neighbour has 4 or 16 bytes");
    if (!CheckMac(neighbor.mac()).ok()) return wrong("the hardware address of a neighbour has six bytes");
  }
  for (const auto& route : request.routes()) {
    const std::string& destination = route.destination();
    if (!IsAddress(destination)) return wrong("the destination of a route has 4 or 16 bytes");
    const std::string which = "the route to " + AddressText(destination);
    if (!FitsPrefix(destination, route.prefix_length())) return wrong(which + ": its prefix is too long");
    for (const std::string* other : {&route.gateway(), &route.source()}) {
      if (!other->empty() && other->size() != destination.size()) return wrong(which + ": it mixes families");
    }
    if (route.scope() > kMaxScope) return wrong(which + ": there is no scope " + std::to_string(route.scope()));
  }
  return Outcome();
}

}  // namespace vcd::guest
