// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETNS_NETWORK_NAMESPACE_H_
#define VCD_CORE_NETNS_NETWORK_NAMESPACE_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A network namespace of the host, held open: it lives as long as this does, whatever becomes of its name. Move-only.
// Errors have the reason NETWORK.
class NetworkNamespace {
 public:
  // Tells one from all others of this boot, also once its name leads to another.
  struct Identity {
    uint64_t device = 0;
    uint64_t inode = 0;
    bool operator==(const Identity& other) const { return device == other.device && inode == other.inode; }
  };

  // The one of that name. kNotFound when there is no such file, kFailedPrecondition, with the next step, for what is no
  // network namespace, and for the host's own and the daemon's: whoever changes those cuts the host off.
  static absl::StatusOr<NetworkNamespace> Open(const std::string& path);

  // That of a running process; errors as above, kNotFound when there is no such process.
  static absl::StatusOr<NetworkNamespace> OfProcess(pid_t pid);

  // A new one without a name, empty but for its loopback interface.
  static absl::StatusOr<NetworkNamespace> Make();

  // Runs `work` in it: on a thread of its own, which ends with it. Waits for it. What is opened there, netlink sockets
  // and taps, belongs to this namespace wherever it is used: enter to open, and leave.
  absl::Status Run(const std::function<absl::Status()>& work) const;

  // Gives it a name: `path`, a file that must not be there, on which it is mounted, so that it lives on without
  // processes and without this. Nothing stays behind on failure.
  absl::Status MountAt(const std::string& path) const;

  int fd() const { return fd_.get(); }
  const Identity& identity() const { return identity_; }

 private:
  NetworkNamespace(UniqueFd fd, Identity identity) : fd_(std::move(fd)), identity_(identity) {}
  static absl::StatusOr<NetworkNamespace> Adopt(UniqueFd fd, const std::string& name);

  UniqueFd fd_;
  Identity identity_;
};

// Takes the name away that MountAt gave; the namespace ends with the last who is in it. OK when there is none.
// kFailedPrecondition, and nothing is changed, for a file that is neither a namespace nor empty.
absl::Status RemoveNetworkNamespace(const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_NETNS_NETWORK_NAMESPACE_H_
