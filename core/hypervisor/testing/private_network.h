// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_TESTING_PRIVATE_NETWORK_H_
#define VCD_CORE_HYPERVISOR_TESTING_PRIVATE_NETWORK_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A network namespace of a test's own, with taps in it. Nothing of the host's is touched, and all of it goes with the
// last descriptor. Needs root.
class PrivateNetwork {
 public:
  static absl::StatusOr<std::unique_ptr<PrivateNetwork>> Create();

  // A path of the namespace for as long as this object lives.
  std::string path() const;
  // A new tap of so many queues, each a descriptor.
  absl::StatusOr<std::vector<UniqueFd>> OpenTap(size_t queues) const;

 private:
  explicit PrivateNetwork(UniqueFd netns) : netns_(std::move(netns)) {}

  const UniqueFd netns_;
};

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_TESTING_PRIVATE_NETWORK_H_
