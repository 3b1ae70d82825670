// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_TESTING_FAKE_IMAGE_H_
#define VCD_CORE_HYPERVISOR_TESTING_FAKE_IMAGE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/hypervisor/hypervisor.h"

namespace vcd {

// The image of a fake machine: a file that says of which configuration, disks and interfaces it is.
struct FakeImage {
  bool shared_memory = false;
  std::vector<state::v1::PciDevice> nics;
};

// Hexadecimal digits of the machine's configuration.
std::string FakeImageKey(const VmSpec& spec);
std::string FakeImagePath(const std::string& directory);
// What the file holds for a machine of that record.
std::string FakeImageText(const VmSpec& spec, const state::v1::VirtualMachine& record);
// The image in `spec.image_dir`: kDataLoss when it is none of this configuration, kFailedPrecondition when it is of
// other disks than `spec.image_disks`, or lacks the shared memory that is asked for.
absl::StatusOr<FakeImage> ReadFakeImage(const VmSpec& spec);

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_TESTING_FAKE_IMAGE_H_
