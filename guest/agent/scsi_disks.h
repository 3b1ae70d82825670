// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_SCSI_DISKS_H_
#define VCD_GUEST_AGENT_SCSI_DISKS_H_

#include <cstdint>
#include <string>

namespace vcd::guest {

// The name in /dev of the disk at `target` and `lun` of the virtio-scsi controller; empty while the kernel has not
// found it. Disks are told apart by address only: their names depend on the order in which they were found. `sysfs` is
// "/sys" but for tests.
std::string FindScsiDisk(const std::string& sysfs, uint32_t target, uint32_t lun);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_SCSI_DISKS_H_
