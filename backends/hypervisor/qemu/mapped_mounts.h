// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_MAPPED_MOUNTS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_MAPPED_MOUNTS_H_

#include <string>

namespace vcd {

// Which mount of those at the open directory or file, or below it, is of a file system that cannot map ids
// (mount_setattr(2), MOUNT_ATTR_IDMAP), for people: "the file system of /data (nfs4)".
std::string DescribeUnmappable(int source, bool recursive, int user_namespace);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_MAPPED_MOUNTS_H_
