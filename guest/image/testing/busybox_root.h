// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_IMAGE_TESTING_BUSYBOX_ROOT_H_
#define VCD_GUEST_IMAGE_TESTING_BUSYBOX_ROOT_H_

#include <string>

namespace vcd::guest {

// Makes a root file system of this machine's busybox, as a directory. Throws std::filesystem::filesystem_error.
void MakeBusyboxRoot(const std::string& root);

}  // namespace vcd::guest

#endif  // VCD_GUEST_IMAGE_TESTING_BUSYBOX_ROOT_H_
