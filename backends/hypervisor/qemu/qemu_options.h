// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_OPTIONS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_OPTIONS_H_

#include <cstdint>
#include <string>

namespace vcd {

// How pods' processes are kept apart on the host; names as in vcd.config.v1.ConfinementConfig, but for those given. By
// default nothing is done.
struct ConfinementOptions {
  bool private_users = false;
  std::string uids_dir;  // Says which pod has which user ids (core/confinement/uid_blocks.h).
  uint32_t first_uid = 0;
  uint32_t uid_count = 0;
  std::string cgroup;  // Empty: none.
  uint32_t memory_overhead_mib = 512;
  uint32_t pids_limit = 512;
  std::string vfio_dir = "/dev/vfio";  // Of the groups that are passed through.
};

// What QemuHypervisor needs to know of the host, and the defaults of what a pod does not say. Empty or zero: the
// default beside it. Names as in vcd.config.v1.QemuConfig.
struct QemuOptions {
  std::string path = "/usr/bin/qemu-system-x86_64";
  std::string kernel_path = "/usr/share/vcd/vmlinux";
  std::string initrd_path = "/usr/share/vcd/initramfs.cpio";
  std::string firmware_path = "/usr/share/qemu/qboot.rom";
  std::string machine_type = "q35";
  std::string accelerator = "auto";  // `auto`, `kvm` or `tcg`.
  std::string virtiofsd_path = "/usr/lib/qemu/virtiofsd";
  uint32_t default_vcpus = 1;
  uint32_t default_memory_mib = 128;
  uint32_t max_console_bytes = 1 << 20;
  ConfinementOptions confinement;
  // Of a machine while it runs. 0: the host's CPUs, at most 16, and the host's memory.
  uint32_t max_vcpus = 0;
  uint32_t max_memory_mib = 0;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_OPTIONS_H_
