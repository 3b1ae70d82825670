// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/testing/socket_server.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace vcd {

SocketServer::SocketServer(grpc::Service& service) {
  if (::mkdtemp(directory_) == nullptr) std::abort();
  grpc::ServerBuilder builder;
  builder.AddListeningPort(Address(), grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  server_ = builder.BuildAndStart();
}

SocketServer::~SocketServer() {
  Shutdown();
  std::filesystem::remove_all(directory_);
}

std::shared_ptr<grpc::Channel> SocketServer::NewChannel() const {
  return grpc::CreateChannel(Address(), grpc::InsecureChannelCredentials());
}

void SocketServer::Shutdown() { server_->Shutdown(std::chrono::system_clock::now()); }

std::string SocketServer::Address() const { return std::string("unix:") + directory_ + "/vcd.sock"; }

}  // namespace vcd
