// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_DEVICE_TESTING_MADE_HOST_H_
#define VCD_CORE_DEVICE_TESTING_MADE_HOST_H_

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/device/host_tree.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {

// What a kernel tells of devices and mounts, made up: sysfs and a mountinfo file in a temporary directory.
class MadeHost {
 public:
  MadeHost() { AddMount("1 0 8:1 / / rw - ext4 /dev/sda1 rw"); }

  HostTree tree() const { return {root_ + "/sys", root_ + "/mountinfo"}; }

  // One more line of mountinfo, the last.
  void AddMount(const std::string& line) { std::ofstream(root_ + "/mountinfo", std::ios::app) << line << "\n"; }

  // A file below /sys.
  void Write(const std::string& path, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/sys/" + path).parent_path());
    std::ofstream(root_ + "/sys/" + path) << content << "\n";
  }

  // A device-mapper device of the number `253:N`.
  void AddMapped(int minor, const std::string& name) {
    const std::string directory = absl::StrCat("dev/block/253:", minor, "/");
    Write(directory + "dm/name", name);
    Write(directory + "uevent", absl::StrCat("MAJOR=253\nMINOR=", minor, "\nDEVNAME=dm-", minor, "\nDEVTYPE=disk"));
  }

  // A PCI device of an IOMMU group.
  void AddPciDevice(const std::string& group, const std::string& address, const std::string& device_class,
                    const std::string& driver) {
    const std::string directory = absl::StrCat("kernel/iommu_groups/", group, "/devices/", address);
    Write(directory + "/class", device_class);
    if (driver.empty()) return;
    std::filesystem::create_symlink("../../../bus/pci/drivers/" + driver, root_ + "/sys/" + directory + "/driver");
  }

  const std::string& root() const { return root_; }

 private:
  TemporaryDirectory directory_;
  const std::string root_ = directory_.path();
};

}  // namespace vcd

#endif  // VCD_CORE_DEVICE_TESTING_MADE_HOST_H_
