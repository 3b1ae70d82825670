// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_DEVICE_PCI_BUS_H_
#define VCD_CORE_DEVICE_PCI_BUS_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/device/host_tree.h"

namespace vcd {

// Whether it is `dddd:bb:dd.f`, as sysfs writes it, the domain with four digits or more.
bool IsPciAddress(absl::string_view text);

// Whether the class of a PCI device, as sysfs has it (`0x060400`), is a bridge's; nothing passes those through.
absl::StatusOr<bool> IsPciBridge(absl::string_view device_class);

// Writes to a file of the kernel that is there. Errors are the kernel's, and name both.
absl::Status WriteKernelFile(const std::string& path, const std::string& value);

// Which drivers the PCI devices of the host have, and how one is given to vfio-pci, for a machine, and back. Addresses
// are such as `0000:01:00.0`. Thread-safe; calls block while drivers come and go, which may take seconds.
class PciBus {
 public:
  using Writer = std::function<absl::Status(const std::string& path, const std::string& value)>;

  // Tests make a tree of their own, and a kernel that acts on what is written there.
  explicit PciBus(HostTree host, Writer writer = WriteKernelFile);
  PciBus() : PciBus(HostTree()) {}

  bool Exists(const std::string& address) const;
  // Empty when it has none.
  std::string DriverOf(const std::string& address) const;
  // The driver that the administrator wants it to have, whatever its ids say; empty when none is named.
  std::string OverrideOf(const std::string& address) const;
  // Number of its IOMMU group. kFailedPrecondition, with the next step, when it is in none.
  absl::StatusOr<std::string> GroupOf(const std::string& address) const;
  // Names of its network interfaces, as far as they are in the daemon's own namespace.
  std::vector<std::string> InterfacesOf(const std::string& address) const;
  // Kernel's number of one of these; 0 when it is gone.
  int IndexOf(const std::string& address, const std::string& interface) const;

  // Whether a machine may have the device. kFailedPrecondition, with the next step, where the host has no vfio-pci or
  // no IOMMU, and where it goes on using another device of the same group: one with a driver that is neither vfio-pci
  // nor among `given`, which the machine gets too.
  absl::Status CheckGroup(const std::string& address, const std::set<std::string>& given) const;

  // OK when vfio-pci has it already. After an error it may be without a driver: Return.
  absl::Status GiveToVfio(const std::string& address) const;

  // Makes `driver` have it again, and the override what it was. OK when that is so, and for a device that is gone.
  absl::Status Return(const std::string& address, const std::string& driver, const std::string& override) const;

 private:
  std::string Directory(const std::string& address) const;
  absl::Status Unbind(const std::string& address) const;
  // Has the bus look for a driver.
  absl::Status Probe(const std::string& address) const;

  HostTree host_;
  Writer write_;
};

}  // namespace vcd

#endif  // VCD_CORE_DEVICE_PCI_BUS_H_
