// SPDX-License-Identifier: Apache-2.0
#include "core/network/interface_names.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/model/field_checks.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Of a name of an interface, without its closing NUL (IFNAMSIZ).
constexpr size_t kMaxInterfaceNameBytes = 15;

}  // namespace

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

absl::Status CheckInterfaceName(const std::string& field, const std::string& name) {
  VCD_RETURN_IF_ERROR(CheckWord(field, name, kMaxInterfaceNameBytes));
  if (name == "." || name == ".." || name == "lo" || name.find_first_of("/:") != std::string::npos) {
    return InvalidField(field, absl::StrCat("\"", name, "\" is no name for an interface"));
  }
  return absl::OkStatus();
}

}  // namespace vcd
