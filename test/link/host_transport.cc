// SPDX-License-Identifier: Apache-2.0
#include "test/link/host_transport.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "core/agent/testing/scripted_guest.h"
#include "core/os/process.h"
#include "core/status/error_detail.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/agent_peer.h"
#include "guest/image/testing/busybox_root.h"

namespace vcd {

namespace fs = std::filesystem;

HostTransport::HostTransport(const std::string& program, const std::vector<std::string>& programs)
    : program_(fs::absolute(program).string()) {
  char path[] = "/tmp/vcd-test-XXXXXX";
  if (mkdtemp(path) == nullptr) throw std::runtime_error("mkdtemp");
  directory_ = path;
  guest::MakeBusyboxRoot(directory_ + "/root");
  for (const std::string& added : programs) {
    fs::copy_file(added, directory_ + "/root/bin/" + fs::path(added).filename().string());
  }
}

HostTransport::~HostTransport() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void HostTransport::PlaceRootfs(GuestContainerSpec& spec) {
  spec.config.mutable_rootfs()->mutable_directory()->set_path(directory_ + "/root");
}

void HostTransport::Launch(const std::string& flag, const UniqueFd& socket) {
  LaunchSpec spec;
  spec.argv = {program_, flag, "3"};
  spec.env = {"PATH=/usr/bin:/bin"};
  spec.descriptors = {{socket.get(), 3}};
  spec.stderr_fd = STDERR_FILENO;
  const auto process = LaunchProcess(spec);
  if (!process.ok()) throw std::runtime_error(process.status().ToString());
  pid_ = process->identity.pid;
}

void HostTransport::ExpectEnd() {
  int status = -1;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  EXPECT_EQ(status, 0);
}

SocketPairTransport::SocketPairTransport(const std::string& program, const std::vector<std::string>& programs)
    : HostTransport(program, programs) {
  auto ends = SocketPair();
  if (!ends.ok()) throw std::runtime_error(ends.status().ToString());
  host_end_ = std::move(ends->first);
  Launch("--fd", ends->second);
}

SocketPairTransport::~SocketPairTransport() {
  host_end_.Reset();
  ExpectEnd();
}

absl::StatusOr<UniqueFd> SocketPairTransport::Connect() {
  UniqueFd copy(dup(host_end_.get()));
  if (!copy.valid()) return PosixError(errno, "duplicate the agent's socket");
  return copy;
}

ListeningTransport::ListeningTransport(const std::string& program, const sockaddr* address, socklen_t size)
    : HostTransport(program, {}) {
  const UniqueFd listener(socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (bind(listener.get(), address, size) != 0 || listen(listener.get(), 8) != 0) {
    throw std::runtime_error(std::string("listen: ") + strerror(errno));
  }
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address_), &address_size_);
  Launch("--listen-fd", listener);
}

ListeningTransport::~ListeningTransport() {
  auto stream = Connect();
  if (stream.ok()) {
    guest::AgentPeer peer(*std::move(stream));
    peer.Hello();
    agent::v1::HostMessage shutdown;
    shutdown.mutable_shutdown();
    EXPECT_EQ(peer.Call(shutdown).code(), agent::v1::ERROR_CODE_OK);
  }
  ExpectEnd();
}

absl::StatusOr<UniqueFd> ListeningTransport::Connect() {
  UniqueFd stream(socket(address_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(stream.get(), reinterpret_cast<const sockaddr*>(&address_), address_size_) != 0) {
    return PosixError(errno, "connect to the agent");
  }
  return stream;
}

}  // namespace vcd
