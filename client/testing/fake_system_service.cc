// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_system_service.h"

namespace vcd::client {

grpc::Status FakeSystemService::GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest* request,
                                           v1::GetVersionResponse* response) {
  if (grpc::Status status = state_.Enter(context, "GetVersion", *request); !status.ok()) return status;
  response->set_version("9.8.7");
  response->set_api_version("v1");
  return grpc::Status::OK;
}

grpc::Status FakeSystemService::Check(grpc::ServerContext* context, const v1::CheckRequest* request,
                                      v1::CheckResponse* response) {
  if (grpc::Status status = state_.Enter(context, "Check", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  *response = state_.check;
  return grpc::Status::OK;
}

grpc::Status FakeSystemService::GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* request,
                                        v1::GetInfoResponse* response) {
  if (grpc::Status status = state_.Enter(context, "GetInfo", *request); !status.ok()) return status;
  auto* backend = response->add_backends();
  backend->set_kind("hypervisor");
  backend->set_name("qemu");
  backend->set_is_default(true);
  backend->add_capabilities("pause");
  response->mutable_accelerator()->set_name("tcg");
  response->mutable_accelerator()->set_reason("no /dev/kvm");
  response->set_pods(3);
  response->set_state_dir("/var/lib/vcd");
  return grpc::Status::OK;
}

}  // namespace vcd::client
