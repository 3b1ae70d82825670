// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_SYSTEM_SERVICE_H_
#define VCD_CLIENT_TESTING_FAKE_SYSTEM_SERVICE_H_

#include "client/testing/fake_state.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/system_service.grpc.pb.h"

namespace vcd::client {

// Says what it is. A part of FakeServer.
class FakeSystemService final : public v1::SystemService::Service {
 public:
  // Borrows the state.
  explicit FakeSystemService(FakeState* state) : state_(*state) {}

  grpc::Status GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest* request,
                          v1::GetVersionResponse* response) override;
  grpc::Status Check(grpc::ServerContext* context, const v1::CheckRequest* request,
                     v1::CheckResponse* response) override;
  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* request,
                       v1::GetInfoResponse* response) override;

 private:
  FakeState& state_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_SYSTEM_SERVICE_H_
