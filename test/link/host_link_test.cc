// SPDX-License-Identifier: Apache-2.0
// The link over sockets of this host, to an agent that runs here.
#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "test/link/host_transport.h"
#include "test/link/link_contract.h"

namespace vcd {
namespace {

constexpr char kAgent[] = "guest/agent/vcd-agent-for-tests";

std::string WhyNoAgent() {
  if (geteuid() != 0) return "containers need root";
  return std::filesystem::exists("/bin/busybox") ? "" : "needs busybox-static";
}

std::unique_ptr<LinkTransport> OverUnixSocket() {
  // Without a path: the kernel gives it a name of its own.
  const sockaddr_un address{AF_UNIX, {}};
  return std::make_unique<ListeningTransport>(kAgent, reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t));
}

sockaddr_vm LocalVsock() {
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_LOCAL;
  address.svm_port = VMADDR_PORT_ANY;
  return address;
}

std::unique_ptr<LinkTransport> OverVsock() {
  const sockaddr_vm address = LocalVsock();
  return std::make_unique<ListeningTransport>(kAgent, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

std::string WhyNoVsock() {
  const UniqueFd listener(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return std::string("this host has no vsock: ") + strerror(errno);
  sockaddr_vm address = LocalVsock();
  socklen_t size = sizeof(address);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener.get(), 1) != 0) {
    return std::string("this host has no vsock loopback (module vsock_loopback): ") + strerror(errno);
  }
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  address.svm_cid = VMADDR_CID_LOCAL;
  const UniqueFd stream(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(stream.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return std::string("this host has no vsock loopback (module vsock_loopback): ") + strerror(errno);
  }
  return WhyNoAgent();
}

INSTANTIATE_TEST_SUITE_P(SocketPair, LinkContractTest,
                         ::testing::Values(LinkContractParam{
                             "SocketPair", [] { return std::make_unique<SocketPairTransport>(kAgent); }, WhyNoAgent}),
                         LinkContractName);
INSTANTIATE_TEST_SUITE_P(UnixSocket, LinkContractTest,
                         ::testing::Values(LinkContractParam{"UnixSocket", OverUnixSocket, WhyNoAgent}),
                         LinkContractName);
INSTANTIATE_TEST_SUITE_P(Vsock, LinkContractTest, ::testing::Values(LinkContractParam{"Vsock", OverVsock, WhyNoVsock}),
                         LinkContractName);

}  // namespace
}  // namespace vcd
