// SPDX-License-Identifier: Apache-2.0
#include "test/benchmark/empty_server.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <cstdio>

#include "test/benchmark/empty_service.grpc.pb.h"

namespace vcd {
namespace {

class EmptyService final : public benchmark::EmptyService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const benchmark::EmptyRequest*,
                                 benchmark::EmptyResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int ServeEmpty(const std::string& address) {
  EmptyService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::fprintf(stderr, "daemon_load: cannot listen on %s\n", address.c_str());
    return 1;
  }
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  server->Shutdown();
  return 0;
}

}  // namespace vcd
