// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_BENCHMARK_VCD_CLIENT_H_
#define VCD_TEST_BENCHMARK_VCD_CLIENT_H_

#include <memory>
#include <string>

#include "proto/vcd/v1/pod_service.grpc.pb.h"
#include "third_party/grpc/health/v1/health.grpc.pb.h"

namespace vcd {

// One connection to vcd. Every call blocks, and one that fails ends the process. Thread-safe.
class VcdClient {
 public:
  explicit VcdClient(const std::string& address);

  // A pod of one container with a command, an annotation and the daemon's default backends.
  void Create(const std::string& id) const;
  // Create and start in one.
  void Run(const std::string& id) const;
  void Start(const std::string& id) const;
  void Stop(const std::string& id) const;
  void Delete(const std::string& id) const;
  void Get(const std::string& id) const;
  // A durable change that leaves the pod as it is.
  void Annotate(const std::string& id, const std::string& value) const;
  // Every page; returns how many pods there are.
  int List() const;
  // grpc.health.v1, all of the server.
  void CheckHealth() const;
  // A resumption of a running pod: refused, and only once the pod's lock was had, so after its reconciliation.
  void AwaitLock(const std::string& id) const;

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::PodService::Stub> pods_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

}  // namespace vcd

#endif  // VCD_TEST_BENCHMARK_VCD_CLIENT_H_
