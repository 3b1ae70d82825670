// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_HARNESS_API_CLIENT_H_
#define VCD_TEST_HARNESS_API_CLIENT_H_

#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "proto/vcd/v1/container_service.grpc.pb.h"
#include "proto/vcd/v1/event_service.grpc.pb.h"
#include "proto/vcd/v1/mock_service.grpc.pb.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"
#include "proto/vcd/v1/system_service.grpc.pb.h"

namespace vcd {

// An error as a client sees it.
struct ApiError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;
  std::string domain;  // Of google.rpc.ErrorInfo, as the next two.
  std::string reason;
  std::map<std::string, std::string> metadata;
};

ApiError DecodeError(const grpc::Status& status);

// Shows in failures of tests.
std::ostream& operator<<(std::ostream& out, const ApiError& error);

// Matches an ApiError: IsError(grpc::StatusCode::NOT_FOUND, "POD_NOT_FOUND").
MATCHER_P2(IsError, code, reason, "") {
  *result_listener << arg;
  return arg.code == code && arg.reason == reason && (arg.reason.empty() || arg.domain == "vcd");
}

// All services of a daemon.
class ApiClient {
 public:
  explicit ApiClient(const std::shared_ptr<grpc::Channel>& channel)
      : pods(v1::PodService::NewStub(channel)),
        containers(v1::ContainerService::NewStub(channel)),
        processes(v1::ProcessService::NewStub(channel)),
        events(v1::EventService::NewStub(channel)),
        system(v1::SystemService::NewStub(channel)),
        mocks(v1::MockService::NewStub(channel)) {}

  // Calls a unary method, with a deadline that no healthy test meets.
  template <typename Stub, typename Request, typename Response>
  static ApiError Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                       const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(context);
    return DecodeError((stub.*method)(&context, request, response));
  }
  static void SetDeadline(grpc::ClientContext& context);

  // Shorthands. The pod's id alone is what most tests vary.
  ApiError CreatePod(const v1::PodConfig& config, v1::Pod* pod = nullptr);
  ApiError RunPod(const v1::PodConfig& config, v1::Pod* pod = nullptr);
  ApiError StartPod(const std::string& pod_id);
  ApiError StopPod(const std::string& pod_id, bool force = false);
  ApiError PausePod(const std::string& pod_id);
  ApiError ResumePod(const std::string& pod_id);
  ApiError DeletePod(const std::string& pod_id, bool force = false);
  ApiError GetPod(const std::string& pod_id, v1::Pod* pod = nullptr);
  ApiError ListPods(const v1::ListPodsRequest& request, v1::ListPodsResponse* response);

  const std::unique_ptr<v1::PodService::Stub> pods;
  const std::unique_ptr<v1::ContainerService::Stub> containers;
  const std::unique_ptr<v1::ProcessService::Stub> processes;
  const std::unique_ptr<v1::EventService::Stub> events;
  const std::unique_ptr<v1::SystemService::Stub> system;
  const std::unique_ptr<v1::MockService::Stub> mocks;
};

// A pod of that id with one container.
v1::PodConfig PodNamed(const std::string& pod_id, const std::string& container_id = "main");

}  // namespace vcd

#endif  // VCD_TEST_HARNESS_API_CLIENT_H_
