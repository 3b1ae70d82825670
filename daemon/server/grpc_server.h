// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVER_GRPC_SERVER_H_
#define VCD_DAEMON_SERVER_GRPC_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/server/health.h"
#include "daemon/server/listen_address.h"

namespace vcd {

// The listener: one address, the given services, health and reflection. Methods may be called from any thread but
// those that run RPCs.
class GrpcServer {
 public:
  // Starts to serve; health says SERVING. A Unix socket is made with mode 0660, for the group `vcd` where there is one,
  // in a directory that is made when missing; one that a dead daemon left is replaced, a live one's is
  // kFailedPrecondition. Sets the process's umask for a moment: call it before other threads make files. Services
  // outlive the server. `interceptor` is told of every call; it may be null.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const ListenAddress& address, const std::vector<grpc::Service*>& services,
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> interceptor = nullptr);

  // Shutdown, without patience.
  ~GrpcServer();

  // Where it listens; with the port that was found for port 0.
  const ListenAddress& address() const { return address_; }

  // Health says NOT_SERVING; connections and calls go on.
  void BeginShutdown();

  // Takes no more calls, gives those under way until `deadline`, then cancels them, and returns when all have ended.
  void Shutdown(absl::Time deadline);

 private:
  GrpcServer(ListenAddress address, std::set<std::string> service_names);

  ListenAddress address_;
  HealthService health_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVER_GRPC_SERVER_H_
