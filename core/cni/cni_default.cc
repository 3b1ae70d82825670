// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_default.h"

#include <utility>

namespace vcd {

CniConfiguration DefaultCniNetwork(const CniDefaultOptions& options) {
  CniJson ranges = CniJson::array();
  CniJson routes = CniJson::array();
  for (const auto& [subnet, everything] :
       {std::pair(&options.subnet, "0.0.0.0/0"), std::pair(&options.subnet6, "::/0")}) {
    if (subnet->empty()) continue;
    ranges.push_back(CniJson::array({CniJson{{"subnet", *subnet}}}));
    routes.push_back(CniJson{{"dst", everything}});
  }
  CniConfiguration network;
  network.name = "default";
  network.version = "1.0.0";
  network.source = "vcd's own network";
  network.plugins = {
      {"bridge",
       "host-local",
       {"ips", "mac"},
       {{"type", "bridge"},
        {"bridge", options.bridge},
        {"isGateway", true},
        {"ipMasq", true},
        // A pod reaches itself by a port of the host.
        {"hairpinMode", true},
        {"capabilities", {{"ips", true}, {"mac", true}}},
        {"ipam",
         {{"type", "host-local"}, {"dataDir", options.addresses_dir}, {"ranges", ranges}, {"routes", routes}}}}},
      {"portmap",
       "",
       {"portMappings"},
       {{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}, {"snat", true}}},
      // Hosts whose firewall drops what is forwarded let the pods' packets through.
      {"firewall", "", {}, {{"type", "firewall"}}}};
  return network;
}

}  // namespace vcd
