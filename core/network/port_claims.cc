// SPDX-License-Identifier: Apache-2.0
#include "core/network/port_claims.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Its bytes; empty for what is no address, as checked elsewhere.
std::string AddressBytes(const std::string& text) {
  in_addr four;
  in6_addr six;
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) return {reinterpret_cast<const char*>(&four), sizeof four};
  if (inet_pton(AF_INET6, text.c_str(), &six) != 1) return "";
  const std::string bytes(reinterpret_cast<const char*>(&six), sizeof six);
  return IN6_IS_ADDR_V4MAPPED(&six) ? bytes.substr(sizeof six - sizeof four) : bytes;
}

absl::Status PortTaken(const v1::PortMapping& asked, const std::string& protocol, const std::string& holder) {
  const std::string address = asked.host_ip().empty() ? "" : absl::StrCat(" at ", asked.host_ip());
  return WithDetail(absl::FailedPreconditionError(absl::StrCat(
                        "port ", asked.host_port(), "/", protocol, address, " of the host is published by pod ", holder,
                        " already; choose another port of the host, or stop that pod")),
                    {v1::ERROR_REASON_NETWORK, {{"holder", holder}}});
}

}  // namespace

PortClaims::Port PortClaims::PortOf(const v1::PortMapping& mapping) {
  return {mapping.host_port(), mapping.protocol().empty() ? "tcp" : mapping.protocol(),
          AddressBytes(mapping.host_ip())};
}

bool PortClaims::IsAllOfAFamily(const std::string& address) {
  return address.find_first_not_of('\0') == std::string::npos;
}

bool PortClaims::Overlap(const Port& one, const Port& other) {
  if (one.number != other.number || one.protocol != other.protocol) return false;
  if (one.address.empty() || other.address.empty()) return true;
  if (one.address.size() != other.address.size()) return false;
  return one.address == other.address || IsAllOfAFamily(one.address) || IsAllOfAFamily(other.address);
}

absl::Status PortClaims::Take(const std::string& pod_id, const v1::NetworkConfig& config) {
  std::vector<Port> ports;
  MutexLock lock(&mu_);
  for (const v1::CniNetwork& network : config.networks()) {
    for (const v1::PortMapping& mapping : network.port_mappings()) {
      Port port = PortOf(mapping);
      for (const auto& [holder, taken] : ports_) {
        if (holder == pod_id) continue;
        for (const Port& one : taken) {
          if (Overlap(port, one)) return PortTaken(mapping, port.protocol, holder);
        }
      }
      ports.push_back(std::move(port));
    }
  }
  if (ports.empty()) {
    ports_.erase(pod_id);
  } else {
    ports_[pod_id] = std::move(ports);
  }
  return absl::OkStatus();
}

void PortClaims::Release(const std::string& pod_id) {
  MutexLock lock(&mu_);
  ports_.erase(pod_id);
}

}  // namespace vcd
