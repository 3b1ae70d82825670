// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_LINK_HOST_TRANSPORT_H_
#define VCD_TEST_LINK_HOST_TRANSPORT_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/os/unique_fd.h"
#include "test/link/link_transport.h"

namespace vcd {

// An agent that runs on this host, with a socket that it inherits. Its containers' root is a directory. Needs root and
// busybox-static; failures of the constructors throw std::runtime_error.
class HostTransport : public LinkTransport {
 public:
  ~HostTransport() override;
  void PlaceRootfs(GuestContainerSpec& spec) override;

  // The agent.
  pid_t pid() const { return pid_; }

 protected:
  // `programs` are added to the root's /bin.
  HostTransport(const std::string& program, const std::vector<std::string>& programs);

  // `flag` takes the number of the inherited socket.
  void Launch(const std::string& flag, const UniqueFd& socket);
  // Waits for the agent to end well.
  void ExpectEnd();

 private:
  const std::string program_;
  std::string directory_;
  pid_t pid_ = -1;
};

// One stream for all connections, as a virtio-serial port is: what one left comes out of the next.
class SocketPairTransport : public HostTransport {
 public:
  explicit SocketPairTransport(const std::string& program, const std::vector<std::string>& programs = {});
  ~SocketPairTransport() override;
  absl::StatusOr<UniqueFd> Connect() override;

 private:
  UniqueFd host_end_;
};

// A stream for each connection, from a socket that the agent listens on.
class ListeningTransport : public HostTransport {
 public:
  ListeningTransport(const std::string& program, const sockaddr* address, socklen_t size);
  ~ListeningTransport() override;
  absl::StatusOr<UniqueFd> Connect() override;

 private:
  sockaddr_storage address_{};
  socklen_t address_size_ = sizeof(address_);
};

}  // namespace vcd

#endif  // VCD_TEST_LINK_HOST_TRANSPORT_H_
