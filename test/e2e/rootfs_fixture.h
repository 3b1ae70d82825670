// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_E2E_ROOTFS_FIXTURE_H_
#define VCD_TEST_E2E_ROOTFS_FIXTURE_H_

#include <string>

namespace vcd {

// Makes the root file system that the tests run in: a static busybox with its usual names, the users root and alice
// (1000) and the group staff (50), and /etc/plain, a file that cannot be executed. Failures are reported through gtest.
void MakeBusyboxDirectory(const std::string& directory);

// Packs a directory into an image: `erofs`, `squashfs` or `ext4`.
void MakeImage(const std::string& directory, const std::string& fs_type, const std::string& image);

}  // namespace vcd

#endif  // VCD_TEST_E2E_ROOTFS_FIXTURE_H_
