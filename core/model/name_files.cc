// SPDX-License-Identifier: Apache-2.0
#include "core/model/name_files.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vcd {

namespace {

// resolv.conf(5) takes no more (MAXNS).
constexpr int kMaxServers = 3;

// Of the first interface that has one, without the length of its prefix; empty when there is none.
std::string FirstAddress(const v1::NetworkStatus& network) {
  for (const v1::PodInterface& interface : network.interfaces()) {
    if (interface.addresses().empty()) continue;
    const std::string& address = interface.addresses(0);
    return address.substr(0, address.find('/'));
  }
  return "";
}

}  // namespace

std::string ResolvConf(const v1::PodConfig& config, const v1::NetworkStatus& network) {
  if (!config.has_dns() && !network.has_dns()) return "";
  const v1::DnsConfig& dns = config.has_dns() ? config.dns() : network.dns();
  std::string text =
      absl::StrCat("# Written by vcd from the pod's ", config.has_dns() ? "configuration" : "network", ".\n");
  if (!dns.searches().empty()) absl::StrAppend(&text, "search ", absl::StrJoin(dns.searches(), " "), "\n");
  for (int i = 0; i < std::min(dns.servers_size(), kMaxServers); ++i) {
    absl::StrAppend(&text, "nameserver ", dns.servers(i), "\n");
  }
  if (!dns.options().empty()) absl::StrAppend(&text, "options ", absl::StrJoin(dns.options(), " "), "\n");
  return text;
}

std::string Hosts(const v1::PodConfig& config, const v1::NetworkStatus& network) {
  std::string text =
      "# Written by vcd from the pod's configuration.\n"
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (!config.hostname().empty()) {
    const std::string address = FirstAddress(network);
    absl::StrAppend(&text, address.empty() ? "127.0.1.1" : address, "\t", config.hostname(), "\n");
  }
  for (const v1::HostAlias& alias : config.host_aliases()) {
    absl::StrAppend(&text, alias.ip(), "\t", absl::StrJoin(alias.hostnames(), " "), "\n");
  }
  return text;
}

}  // namespace vcd
