// SPDX-License-Identifier: Apache-2.0
#include "core/device/pci_bus.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kVfioPci[] = "vfio-pci";
constexpr uint32_t kBridgeClass = 0x06;  // PCI Code and ID Assignment Specification: the base class.

// What a symbolic link of sysfs leads to, by its last name; empty when it is not there.
std::string LinkedName(const std::string& path) {
  std::error_code error;
  return std::filesystem::read_symlink(path, error).filename();
}

}  // namespace

bool IsPciAddress(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos || colon < 4 || text.size() != colon + 8) return false;
  if (text[colon + 3] != ':' || text[colon + 6] != '.' || text.back() < '0' || text.back() > '7') return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (i == colon || i == colon + 3 || i == colon + 6) continue;
    if (!absl::ascii_isxdigit(c) || absl::ascii_isupper(c)) return false;
  }
  return true;
}

absl::StatusOr<bool> IsPciBridge(absl::string_view device_class) {
  uint32_t number = 0;
  if (!absl::SimpleHexAtoi(device_class, &number)) return absl::FailedPreconditionError("the kernel tells no class");
  return number >> 16 == kBridgeClass;
}

absl::Status WriteKernelFile(const std::string& path, const std::string& value) {
  const std::string step = absl::StrCat("write ", absl::StripAsciiWhitespace(value), " to ", path);
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  // The kernel takes it as a whole or not at all.
  if (!file.valid() || ::write(file.get(), value.data(), value.size()) < 0) return PosixError(errno, step);
  return absl::OkStatus();
}

PciBus::PciBus(HostTree host, Writer writer) : host_(std::move(host)), write_(std::move(writer)) {}

std::string PciBus::Directory(const std::string& address) const {
  return absl::StrCat(host_.sysfs, "/bus/pci/devices/", address);
}

bool PciBus::Exists(const std::string& address) const {
  std::error_code error;
  return std::filesystem::exists(Directory(address), error);
}

std::string PciBus::DriverOf(const std::string& address) const {
  return LinkedName(absl::StrCat(Directory(address), "/driver"));
}

std::string PciBus::OverrideOf(const std::string& address) const {
  std::string driver = ReadKernelLine(absl::StrCat(Directory(address), "/driver_override"));
  return driver == "(null)" ? std::string() : driver;
}

absl::StatusOr<std::string> PciBus::GroupOf(const std::string& address) const {
  std::string group = LinkedName(absl::StrCat(Directory(address), "/iommu_group"));
  if (!group.empty()) return group;
  return absl::FailedPreconditionError(absl::StrCat(
      address, " is in no IOMMU group, so no machine can have it; switch the IOMMU (VT-d, AMD-Vi) on in the firmware ",
      "setup, and boot with intel_iommu=on"));
}

std::vector<std::string> PciBus::InterfacesOf(const std::string& address) const {
  return ListKernelDirectory(absl::StrCat(Directory(address), "/net"));
}

int PciBus::IndexOf(const std::string& address, const std::string& interface) const {
  int index = 0;
  const std::string text = ReadKernelLine(absl::StrCat(Directory(address), "/net/", interface, "/ifindex"));
  return absl::SimpleAtoi(text, &index) ? index : 0;
}

absl::Status PciBus::CheckGroup(const std::string& address, const std::set<std::string>& given) const {
  std::error_code error;
  if (!std::filesystem::exists(absl::StrCat(host_.sysfs, "/bus/pci/drivers/", kVfioPci), error)) {
    return absl::FailedPreconditionError("the host has no driver vfio-pci; `modprobe vfio-pci`");
  }
  VCD_ASSIGN_OR_RETURN(const std::string group, GroupOf(address));
  const std::string devices = absl::StrCat(host_.sysfs, "/kernel/iommu_groups/", group, "/devices/");
  for (const std::string& other : ListKernelDirectory(devices)) {
    if (other == address || given.count(other) != 0) continue;
    const absl::StatusOr<bool> bridge = IsPciBridge(ReadKernelLine(absl::StrCat(devices, other, "/class")));
    if (bridge.ok() && *bridge) continue;
    const std::string driver = LinkedName(absl::StrCat(devices, other, "/driver"));
    if (driver.empty() || driver == kVfioPci) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        address, " goes only together with ", other, " (IOMMU group ", group, "), which is driven by ", driver,
        "; pass that through too, or take it from the host, as with driverctl set-override ", other, " ", kVfioPci));
  }
  return absl::OkStatus();
}

absl::Status PciBus::Unbind(const std::string& address) const {
  if (DriverOf(address).empty()) return absl::OkStatus();
  return write_(absl::StrCat(Directory(address), "/driver/unbind"), address);
}

absl::Status PciBus::Probe(const std::string& address) const {
  return write_(absl::StrCat(host_.sysfs, "/bus/pci/drivers_probe"), address);
}

absl::Status PciBus::GiveToVfio(const std::string& address) const {
  if (DriverOf(address) == kVfioPci) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(write_(absl::StrCat(Directory(address), "/driver_override"), kVfioPci));
  VCD_RETURN_IF_ERROR(Unbind(address));
  VCD_RETURN_IF_ERROR(Probe(address));
  if (DriverOf(address) == kVfioPci) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("vfio-pci did not take ", address, "; see the kernel's log, `dmesg | grep ", address, "`"));
}

absl::Status PciBus::Return(const std::string& address, const std::string& driver, const std::string& override) const {
  if (!Exists(address)) return absl::OkStatus();
  if (OverrideOf(address) != override) {
    // An empty line takes it away.
    VCD_RETURN_IF_ERROR(
        write_(absl::StrCat(Directory(address), "/driver_override"), override.empty() ? "\n" : override));
  }
  if (DriverOf(address) == driver) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(Unbind(address));
  if (driver.empty()) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(Probe(address));
  if (const std::string now = DriverOf(address); now != driver) {
    return absl::FailedPreconditionError(absl::StrCat(driver, " did not take ", address, " back; it is driven by ",
                                                      now.empty() ? "nothing" : now, "; `modprobe ", driver,
                                                      "`, and see the kernel's log"));
  }
  return absl::OkStatus();
}

}  // namespace vcd
