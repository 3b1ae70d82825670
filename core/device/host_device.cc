// SPDX-License-Identifier: Apache-2.0
#include "core/device/host_device.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#undef major
#undef minor

#include <cerrno>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/device/host_disk.h"
#include "core/device/pci_bus.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

constexpr absl::string_view kVfio = "/dev/vfio/";

// Whether a number means the same driver to every kernel of Linux (Documentation/admin-guide/devices.txt): memory
// devices such as /dev/null, the terminals of whoever looks, and the miscellaneous devices that have a number of their
// own (include/linux/miscdevice.h). The others of those are numbered as they come, below 128 and above 255.
bool IsFixedNumber(dev_t device) {
  const unsigned number = gnu_dev_minor(device);
  switch (gnu_dev_major(device)) {
    case 1:
      return true;
    case 5:
      return number == 0 || number == 2;
    case 10:
      return number >= 128 && number < 255;
    default:
      return false;
  }
}

}  // namespace

absl::StatusOr<HostDeviceKind> ClassifyHostDevice(const std::string& path) {
  uint32_t group = 0;
  if (absl::StartsWith(path, kVfio)) {
    if (absl::SimpleAtoi(path.substr(kVfio.size()), &group)) return HostDeviceKind::kVfioGroup;
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is no group of VFIO; those are ", kVfio, "N with a number"));
  }
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return PosixError(errno, path);
  if (S_ISCHR(status.st_mode) && IsFixedNumber(status.st_rdev)) return HostDeviceKind::kGuestsOwn;
  if (S_ISCHR(status.st_mode)) {
    return WithDetail(absl::UnimplementedError(absl::StrCat(
                          path, ": is a character device of the host's kernel, with a number (",
                          gnu_dev_major(status.st_rdev), ":", gnu_dev_minor(status.st_rdev),
                          ") that means nothing to the guest's, which cannot reach it; pass the PCI device behind it "
                          "through by its VFIO group (",
                          kVfio, "N), or, for a device that the guest has itself, leave host_path out")),
                      {v1::ERROR_REASON_NOT_IMPLEMENTED, {}});
  }
  const absl::StatusOr<HostDisk> disk = FindHostDisk(path);
  if (!disk.ok()) return disk.status();
  return HostDeviceKind::kDisk;
}

absl::StatusOr<dev_t> FindGuestsDevice(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return PosixError(errno, path);
  if (S_ISCHR(status.st_mode) && IsFixedNumber(status.st_rdev)) return status.st_rdev;
  return absl::InvalidArgumentError(absl::StrCat(path, ": is another device than it was"));
}

absl::StatusOr<std::vector<std::string>> FindVfioDevices(const HostTree& host, const std::string& path) {
  const std::string group = path.substr(kVfio.size());
  const std::string devices = absl::StrCat(host.sysfs, "/kernel/iommu_groups/", group, "/devices/");
  const PciBus bus(host);
  std::vector<std::string> addresses;
  for (const std::string& name : ListKernelDirectory(devices)) {
    if (!IsPciAddress(name)) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": holds ", name, ", which is no PCI device and cannot be passed through"));
    }
    const absl::StatusOr<bool> bridge = IsPciBridge(ReadKernelLine(absl::StrCat(devices, name, "/class")));
    if (!bridge.ok()) return Annotate(bridge.status(), absl::StrCat(path, ": ", name));
    if (*bridge) continue;
    if (const std::string driver = bus.DriverOf(name); driver != "vfio-pci") {
      return absl::FailedPreconditionError(absl::StrCat(
          path, ": its device ", name, driver.empty() ? " has no driver" : absl::StrCat(" is driven by ", driver),
          "; bind every device of the group to vfio-pci first, as with driverctl set-override ", name, " vfio-pci"));
    }
    addresses.push_back(name);
  }
  if (addresses.empty()) {
    return absl::NotFoundError(absl::StrCat(path, ": there is no such group, or no device but bridges in it"));
  }
  return addresses;
}

}  // namespace vcd
