// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_LINK_LINK_TRANSPORT_H_
#define VCD_TEST_LINK_LINK_TRANSPORT_H_

#include "absl/status/statusor.h"
#include "core/agent/agent.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A byte stream to a running vcd-agent, whatever it is made of. One thread.
class LinkTransport {
 public:
  virtual ~LinkTransport() = default;

  // A connection that takes the place of the one before, whose bytes may still come out of it.
  virtual absl::StatusOr<UniqueFd> Connect() = 0;

  // Names the root file system of a container to make: one with busybox.
  virtual void PlaceRootfs(GuestContainerSpec& spec) = 0;
};

}  // namespace vcd

#endif  // VCD_TEST_LINK_LINK_TRANSPORT_H_
