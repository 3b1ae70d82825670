// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVER_HEALTH_H_
#define VCD_DAEMON_SERVER_HEALTH_H_

#include <memory>
#include <set>
#include <string>

#include "core/os/mutex.h"
#include "third_party/grpc/health/v1/health.grpc.pb.h"

namespace vcd {

// grpc.health.v1, for orchestrators and load balancers. Not gRPC's own, which server reflection cannot describe, so
// that grpcurl could not call it. Thread-safe; outlives the server that it is registered with.
class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  // Knows these services by full name, and "" for all; NOT_SERVING until told otherwise.
  explicit HealthService(std::set<std::string> services);

  // Tells every watcher.
  void SetServing(bool serving) ABSL_LOCKS_EXCLUDED(mu_);

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override ABSL_LOCKS_EXCLUDED(mu_);
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  class Watcher;

  void Forget(Watcher* watcher) ABSL_LOCKS_EXCLUDED(mu_);

  const std::set<std::string> services_;
  // Taken before a watcher's own.
  Mutex mu_;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVER_HEALTH_H_
