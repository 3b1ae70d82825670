// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/scsi_disks.h"

#include <vector>

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

}  // namespace vcd::guest
