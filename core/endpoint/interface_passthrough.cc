// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/interface_passthrough.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/endpoint/interface_join.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using state::v1::JoinedInterface;

const NetworkLink* FindLink(const std::vector<NetworkLink>& links, const std::string& name) {
  const auto found =
      std::find_if(links.begin(), links.end(), [&](const NetworkLink& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

// The interface that the driver has made again, where it was before.
absl::Status PutBack(Netlink& netlink, const PciBus& bus, const JoinedInterface& joined) {
  VCD_ASSIGN_OR_RETURN(std::vector<NetworkLink> links, netlink.Links());
  if (FindLink(links, joined.name()) == nullptr) {
    const std::vector<std::string> outside = bus.InterfacesOf(joined.pci_address());
    if (!outside.empty()) {
      VCD_RETURN_IF_ERROR(netlink.BringIn(bus.IndexOf(joined.pci_address(), outside.front()), joined.name()));
    }
    VCD_ASSIGN_OR_RETURN(links, netlink.Links());
  }
  const NetworkLink* const link = FindLink(links, joined.name());
  if (link == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(joined.driver(), " has ", joined.pci_address(),
                                                      " again, and made no interface that is seen here"));
  }
  JoinedInterface here = joined;
  here.set_index(link->index);
  LinkChange change;
  if (link->mtu != joined.mtu()) change.mtu = joined.mtu();
  if (joined.up()) change.up = true;
  absl::Status status = netlink.ChangeLink(link->index, change);
  status.Update(RestoreInterface(netlink, here));
  return status;
}

}  // namespace

std::set<std::string> PciDevicesOf(Netlink& netlink, const std::vector<std::string>& interfaces) {
  std::set<std::string> addresses;
  for (const std::string& name : interfaces) {
    const absl::StatusOr<LinkDriver> driver = netlink.Driver(name);
    if (driver.ok() && IsPciAddress(driver->bus_info)) addresses.insert(driver->bus_info);
  }
  return addresses;
}

absl::StatusOr<JoinedInterface> PlanPassthrough(Netlink& netlink, const PciBus& bus, const NetworkLink& link,
                                                const std::set<std::string>& given,
                                                const std::vector<LinkAddress>& addresses,
                                                const std::vector<LinkRoute>& routes) {
  const absl::StatusOr<LinkDriver> driver = netlink.Driver(link.name);
  if (!driver.ok() || !IsPciAddress(driver->bus_info)) {
    return absl::FailedPreconditionError(
        "it is no PCI device, and only those can be passed through; leave it out of passthrough_interfaces to have it "
        "joined");
  }
  VCD_RETURN_IF_ERROR(bus.CheckGroup(driver->bus_info, given));
  JoinedInterface joined;
  joined.set_name(link.name);
  joined.set_index(link.index);
  joined.set_kind(v1::INTERFACE_KIND_PHYSICAL);
  joined.set_pci_address(driver->bus_info);
  joined.set_driver(bus.DriverOf(driver->bus_info));
  joined.set_driver_override(bus.OverrideOf(driver->bus_info));
  joined.set_mtu(link.mtu);
  SaveInterface(link, addresses, routes, &joined);
  return joined;
}

absl::Status UndoPassthrough(Netlink* netlink, const PciBus& bus, const JoinedInterface& joined) {
  VCD_RETURN_IF_ERROR(bus.Return(joined.pci_address(), joined.driver(), joined.driver_override()));
  if (netlink == nullptr || !bus.Exists(joined.pci_address())) return absl::OkStatus();
  return PutBack(*netlink, bus, joined);
}

absl::Status CheckPassthrough(const PciBus& bus, const JoinedInterface& joined) {
  const std::string driver = bus.DriverOf(joined.pci_address());
  if (driver == "vfio-pci") return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("its device ", joined.pci_address(), " is driven by ",
                                                    driver.empty() ? "nothing" : driver,
                                                    "; stop the pod and start it again"));
}

}  // namespace vcd
