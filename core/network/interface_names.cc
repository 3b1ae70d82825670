// SPDX-License-Identifier: Apache-2.0
#include "core/network/interface_names.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace vcd {

std::vector<v1::CniNetwork> NamedNetworks(const v1::NetworkConfig& config) {
  std::vector<v1::CniNetwork> networks(config.networks().begin(), config.networks().end());
  if (networks.empty()) networks.emplace_back();
  std::set<std::string> taken;
  for (const v1::CniNetwork& network : networks) taken.insert(network.interface_name());
  for (v1::CniNetwork& network : networks) {
    if (!network.interface_name().empty()) continue;
    int number = 0;
    while (!taken.insert(absl::StrCat("eth", number)).second) ++number;
    network.set_interface_name(absl::StrCat("eth", number));
  }
  return networks;
}

}  // namespace vcd
