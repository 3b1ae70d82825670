// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_DISKS_H_
#define VCD_GUEST_AGENT_DISKS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "guest/agent/mount_objects.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// Disks are told apart by address or serial number only: their names depend on the order in which they were found.
namespace vcd::guest {

// The name in /dev of the disk at `target` and `lun` of the virtio-scsi controller; empty while the kernel has not
// found it. `sysfs` is "/sys" but for tests.
std::string FindScsiDisk(const std::string& sysfs, uint32_t target, uint32_t lun);

// The same for the virtio-blk disk with that serial number.
std::string FindBlkDisk(const std::string& sysfs, const std::string& serial);

// Path of the disk, ready to be opened; empty while it is not there: try again when devices have changed.
OutcomeOr<std::string> FindDisk(const ::vcd::agent::v1::DiskAddress& address,
                                const std::function<Outcome(const std::string& group)>& load_modules);

// How messages call it.
std::string DiskName(const ::vcd::agent::v1::DiskAddress& address);

// How the file system of that type on a disk is mounted with `options`. One that is only read leaves its journal alone,
// which it could not replay; device nodes on it are none unless `dev` is among the options.
FilesystemRequest DiskFilesystem(const std::string& type, const std::string& device,
                                 const std::vector<std::string>& options);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_DISKS_H_
