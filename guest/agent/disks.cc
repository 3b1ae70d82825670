// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/disks.h"

#include <fcntl.h>

#include "core/os/unique_fd.h"
#include "guest/agent/file_io.h"

namespace vcd::guest {

std::string FindScsiDisk(const std::string& sysfs, uint32_t target, uint32_t lun) {
  // Devices are named HOST:CHANNEL:TARGET:LUN; virtio-scsi has channel 0 only.
  const std::string address = ":0:" + std::to_string(target) + ":" + std::to_string(lun);
  const std::string devices = sysfs + "/bus/scsi/devices/";
  for (const std::string& device : ListDirectory(devices)) {
    const size_t colon = device.find(':');
    if (colon == std::string::npos || device.substr(colon) != address) continue;
    if (ReadLine(sysfs + "/class/scsi_host/host" + device.substr(0, colon) + "/proc_name") != "virtio_scsi") continue;
    const std::vector<std::string> names = ListDirectory(devices + device + "/block");
    if (!names.empty()) return names.front();
  }
  return "";
}

std::string FindBlkDisk(const std::string& sysfs, const std::string& serial) {
  const std::string devices = sysfs + "/block/";
  for (const std::string& name : ListDirectory(devices)) {
    // Disks of other kinds keep theirs elsewhere.
    if (name.rfind("vd", 0) == 0 && ReadLine(devices + name + "/serial") == serial) return name;
  }
  return "";
}

OutcomeOr<std::string> FindDisk(const ::vcd::agent::v1::DiskAddress& address,
                                const std::function<Outcome(const std::string& group)>& load_modules) {
  const bool is_scsi = address.has_scsi_lun();
  if (!is_scsi && address.serial().empty()) return Invalid("a disk has neither an address nor a serial number");
  if (Outcome loaded = load_modules(is_scsi ? "scsi" : "blk"); !loaded.ok()) return loaded;
  const std::string name = is_scsi ? FindScsiDisk("/sys", address.scsi_lun().target(), address.scsi_lun().lun())
                                   : FindBlkDisk("/sys", address.serial());
  std::string device = "/dev/" + name;
  // Opened, not just looked for: its name is there a moment before the disk behind it (ENXIO), and the kernel tells of
  // a new disk when both are.
  if (name.empty() || !UniqueFd(::open(device.c_str(), O_RDONLY | O_CLOEXEC)).valid()) return std::string();
  return device;
}

std::string DiskName(const ::vcd::agent::v1::DiskAddress& address) {
  if (!address.has_scsi_lun()) return "disk \"" + address.serial() + "\"";
  return "disk target " + std::to_string(address.scsi_lun().target()) + " lun " +
         std::to_string(address.scsi_lun().lun());
}

FilesystemRequest DiskFilesystem(const std::string& type, const std::string& device,
                                 const std::vector<std::string>& options) {
  FilesystemRequest request{type, device, {"nodev"}};
  request.options.insert(request.options.end(), options.begin(), options.end());
  request.readonly = type == "erofs" || type == "squashfs";
  for (const std::string& option : options) {
    if (option == "ro" || option == "rw") request.readonly = option == "ro";
  }
  // Copies of one image in one guest are several file systems to it.
  if (type == "xfs") request.options.push_back("nouuid");
  if (!request.readonly) return request;
  if (type == "ext4") request.options.push_back("noload");
  if (type == "xfs") request.options.push_back("norecovery");
  return request;
}

}  // namespace vcd::guest
