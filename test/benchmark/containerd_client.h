// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_BENCHMARK_CONTAINERD_CLIENT_H_
#define VCD_TEST_BENCHMARK_CONTAINERD_CLIENT_H_

#include <memory>
#include <string>

#include "test/benchmark/containerd.grpc.pb.h"

namespace vcd {

// One connection to containerd's store of containers: records only, nothing is run. Every call blocks, and one that
// fails ends the process. Thread-safe.
class ContainerdClient {
 public:
  explicit ContainerdClient(const std::string& address);

  // A record with about what VcdClient::Create asks for.
  void Create(const std::string& id) const;
  void Get(const std::string& id) const;
  // In one answer; returns how many there are.
  int List() const;
  void Delete(const std::string& id) const;

 private:
  std::unique_ptr<containerd::services::containers::v1::Containers::Stub> containers_;
};

}  // namespace vcd

#endif  // VCD_TEST_BENCHMARK_CONTAINERD_CLIENT_H_
