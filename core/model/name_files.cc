// SPDX-License-Identifier: Apache-2.0
#include "core/model/name_files.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vcd {

std::string ResolvConf(const v1::PodConfig& config) {
  if (!config.has_dns()) return "";
  const v1::DnsConfig& dns = config.dns();
  std::string text = "# Written by vcd from the pod's configuration.\n";
  if (!dns.searches().empty()) absl::StrAppend(&text, "search ", absl::StrJoin(dns.searches(), " "), "\n");
  for (const std::string& server : dns.servers()) absl::StrAppend(&text, "nameserver ", server, "\n");
  if (!dns.options().empty()) absl::StrAppend(&text, "options ", absl::StrJoin(dns.options(), " "), "\n");
  return text;
}

std::string Hosts(const v1::PodConfig& config) {
  std::string text =
      "# Written by vcd from the pod's configuration.\n"
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (!config.hostname().empty()) absl::StrAppend(&text, "127.0.1.1\t", config.hostname(), "\n");
  for (const v1::HostAlias& alias : config.host_aliases()) {
    absl::StrAppend(&text, alias.ip(), "\t", absl::StrJoin(alias.hostnames(), " "), "\n");
  }
  return text;
}

}  // namespace vcd
