// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_BENCHMARK_CHANNEL_H_
#define VCD_TEST_BENCHMARK_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace vcd {

// A connection of its own to `address`, with room for answers of any size.
inline std::shared_ptr<grpc::Channel> ConnectTo(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  // As a connection over a Unix socket names its peer; Go's servers refuse what gRPC takes from the path instead.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

// A benchmark whose calls fail measures nothing, so it ends.
inline void RequireOk(const grpc::Status& status, const char* call, const std::string& id) {
  if (status.ok()) return;
  std::fprintf(stderr, "daemon_load: %s %s: code %d: %s\n", call, id.c_str(), status.error_code(),
               status.error_message().c_str());
  std::_Exit(1);
}

}  // namespace vcd

#endif  // VCD_TEST_BENCHMARK_CHANNEL_H_
