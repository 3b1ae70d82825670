// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_TESTING_SOCKET_SERVER_H_
#define VCD_DAEMON_SERVICE_TESTING_SOCKET_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace vcd {

// A service behind a real gRPC server on a Unix socket in a directory of its own: a channel inside the process would
// let a client write only what the server reads. The service outlives it.
class SocketServer {
 public:
  explicit SocketServer(grpc::Service& service);
  // Ends all calls.
  ~SocketServer();

  std::shared_ptr<grpc::Channel> NewChannel() const;
  // Ends all calls; after that none of the service runs.
  void Shutdown();

 private:
  std::string Address() const;

  char directory_[32] = "/tmp/vcd-test-XXXXXX";
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_TESTING_SOCKET_SERVER_H_
