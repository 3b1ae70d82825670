// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/testing/private_network.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::StatusOr<UniqueFd> MakeNamespace() {
  absl::StatusOr<UniqueFd> made;
  // The thread that enters a namespace ends there.
  std::thread([&made] {
    if (unshare(CLONE_NEWNET) != 0) {
      made = PosixError(errno, "make a network namespace");
      return;
    }
    UniqueFd netns(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (netns.valid()) {
      made = std::move(netns);
    } else {
      made = PosixError(errno, "open a network namespace");
    }
  }).join();
  return made;
}

absl::StatusOr<std::vector<UniqueFd>> OpenTapHere(size_t queues) {
  ifreq request = {};
  std::strncpy(request.ifr_name, "test%d", IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
  std::vector<UniqueFd> fds;
  for (size_t i = 0; i < queues; ++i) {
    fds.emplace_back(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    // The first call fills the name in that the others attach to.
    if (!fds.back().valid() || ioctl(fds.back().get(), TUNSETIFF, &request) != 0)
      return PosixError(errno, "open a tap");
  }
  return fds;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateNetwork>> PrivateNetwork::Create() {
  VCD_ASSIGN_OR_RETURN(UniqueFd netns, MakeNamespace());
  return std::unique_ptr<PrivateNetwork>(new PrivateNetwork(std::move(netns)));
}

std::string PrivateNetwork::path() const { return absl::StrCat("/proc/", getpid(), "/fd/", netns_.get()); }

absl::StatusOr<std::vector<UniqueFd>> PrivateNetwork::OpenTap(size_t queues) const {
  absl::StatusOr<std::vector<UniqueFd>> fds;
  std::thread([&] {
    if (setns(netns_.get(), CLONE_NEWNET) != 0) {
      fds = PosixError(errno, "enter a network namespace");
    } else {
      fds = OpenTapHere(queues);
    }
  }).join();
  return fds;
}

}  // namespace vcd
