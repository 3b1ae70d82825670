// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_DEVICE_TESTING_MADE_HOST_H_
#define VCD_CORE_DEVICE_TESTING_MADE_HOST_H_

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
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

  // A PCI device of an IOMMU group. Without a driver it stays without: its own is what it is given here.
  void AddPciDevice(const std::string& group, const std::string& address, const std::string& device_class,
                    const std::string& driver) {
    const std::string device = "bus/pci/devices/" + address;
    Write(device + "/class", device_class);
    Write(device + "/driver_override", "(null)");
    Write("kernel/iommu_groups/" + group + "/type", "DMA");
    std::filesystem::create_directories(root_ + "/sys/kernel/iommu_groups/" + group + "/devices");
    std::filesystem::create_directory_symlink("../../../../" + device,
                                              root_ + "/sys/kernel/iommu_groups/" + group + "/devices/" + address);
    std::filesystem::create_directory_symlink("../../../../kernel/iommu_groups/" + group,
                                              root_ + "/sys/" + device + "/iommu_group");
    own_drivers_[address] = driver;
    Bind(address, driver);
  }

  // The kernel's part when something is written below /sys: drivers take devices and let them go. Outlived by this.
  std::function<absl::Status(const std::string&, const std::string&)> Kernel() {
    return [this](const std::string& path, const std::string& value) { return Act(path, value); };
  }
  // The n-th write from now on fails, and does nothing.
  void FailWrite(int number) { writes_left_ = number; }

  const std::string& root() const { return root_; }

 private:
  std::string DriverLink(const std::string& address) const {
    return root_ + "/sys/bus/pci/devices/" + address + "/driver";
  }

  void Bind(const std::string& address, const std::string& driver) {
    if (driver.empty()) return;
    std::filesystem::create_directories(root_ + "/sys/bus/pci/drivers/" + driver);
    std::filesystem::create_directory_symlink("../../drivers/" + driver, DriverLink(address));
  }

  absl::Status Act(const std::string& path, const std::string& value) {
    if (--writes_left_ == 0) return absl::ResourceExhaustedError("injected");
    const std::filesystem::path file(path);
    if (file.filename() == "driver_override") {
      std::ofstream(path) << (value == "\n" ? "(null)" : value) << "\n";
    } else if (file.filename() == "unbind") {
      std::filesystem::remove(DriverLink(value));
    } else if (file.filename() == "drivers_probe") {
      if (std::filesystem::exists(DriverLink(value))) return absl::OkStatus();
      const std::string wanted = ReadKernelLine(root_ + "/sys/bus/pci/devices/" + value + "/driver_override");
      Bind(value, wanted == "(null)" ? own_drivers_[value] : wanted);
    } else {
      return absl::NotFoundError(path);
    }
    return absl::OkStatus();
  }

  TemporaryDirectory directory_;
  const std::string root_ = directory_.path();
  std::map<std::string, std::string> own_drivers_;
  int writes_left_ = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_DEVICE_TESTING_MADE_HOST_H_
