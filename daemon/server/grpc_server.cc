// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/grpc_server.h"

#include <google/protobuf/descriptor.h>
#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/server_builder.h>

#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/server/unix_socket.h"
#include "proto/vcd/v1/container_service.pb.h"
#include "proto/vcd/v1/event_service.pb.h"
#include "proto/vcd/v1/pod_service.pb.h"
#include "proto/vcd/v1/process_service.pb.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd {
namespace {

constexpr int kMaxMessageBytes = 16 << 20;
// Of one connection. Attaches, waits and watches each hold a stream and no thread, and an orchestrator may wait for
// tens of thousands of processes over one connection; the bound is against a client that leaks them.
constexpr int kMaxConcurrentStreams = 1 << 16;
// The owner and the group may connect.
constexpr mode_t kSocketUmask = 0117;

std::set<std::string> ServiceNames() {
  std::set<std::string> names;
  for (const google::protobuf::FileDescriptor* file :
       {v1::CreatePodRequest::descriptor()->file(), v1::CreateContainerRequest::descriptor()->file(),
        v1::ExecRequest::descriptor()->file(), v1::WatchEventsRequest::descriptor()->file(),
        v1::GetVersionRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) names.insert(file->service(i)->full_name());
  }
  return names;
}

}  // namespace

GrpcServer::GrpcServer(ListenAddress address, std::set<std::string> service_names)
    : address_(std::move(address)), health_(std::move(service_names)) {}

GrpcServer::~GrpcServer() { Shutdown(absl::InfinitePast()); }

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const ListenAddress& address, const std::vector<grpc::Service*>& services,
    std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> interceptor) {
  // Adds reflection to every server built from here on; more than once would register it twice.
  static std::once_flag reflection;
  std::call_once(reflection, [] { grpc::reflection::InitProtoReflectionServerBuilderPlugin(); });

  std::unique_ptr<GrpcServer> server(new GrpcServer(address, ServiceNames()));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address.Target(), grpc::InsecureServerCredentials(), &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.RegisterService(&server->health_);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentStreams);
  if (interceptor != nullptr) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(std::move(interceptor));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
  }
  // Two daemons on one TCP port would each get some of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);

  if (address.is_unix()) VCD_RETURN_IF_ERROR(PrepareUnixSocketPath(address.path));
  {
    const ScopedUmask mask(kSocketUmask);
    server->server_ = builder.BuildAndStart();
  }
  // gRPC says why only in its own log.
  if (server->server_ == nullptr || (!address.is_unix() && port == 0)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen on ", address.Url(), ": ",
                     address.is_unix() ? "is its directory writable?" : "is another program using the port?"));
  }
  if (address.is_unix()) {
    VCD_RETURN_IF_ERROR(GiveUnixSocketToGroup(address.path));
  } else {
    server->address_.port = static_cast<uint16_t>(port);
  }
  server->health_.SetServing(true);
  return server;
}

void GrpcServer::BeginShutdown() { health_.SetServing(false); }

void GrpcServer::Shutdown(absl::Time deadline) {
  BeginShutdown();
  if (server_ != nullptr) server_->Shutdown(absl::ToChronoTime(std::max(deadline, absl::UnixEpoch())));
}

}  // namespace vcd
