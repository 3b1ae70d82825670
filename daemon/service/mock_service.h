// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_MOCK_SERVICE_H_
#define VCD_DAEMON_SERVICE_MOCK_SERVICE_H_

#include <memory>
#include <utility>

#include "backends/mock/mock_control.h"
#include "proto/vcd/v1/mock_service.grpc.pb.h"

namespace vcd {

// vcd.v1.MockService: what happens to mock pods from outside. Takes no pod's lock, so that it reaches those that hang.
class MockService final : public v1::MockService::CallbackService {
 public:
  explicit MockService(std::shared_ptr<MockControl> control) : control_(std::move(control)) {}

  grpc::ServerUnaryReactor* SetBehavior(grpc::CallbackServerContext* context, const v1::SetBehaviorRequest* request,
                                        v1::SetBehaviorResponse* response) override;
  grpc::ServerUnaryReactor* GetBehavior(grpc::CallbackServerContext* context, const v1::GetBehaviorRequest* request,
                                        v1::GetBehaviorResponse* response) override;
  grpc::ServerUnaryReactor* Crash(grpc::CallbackServerContext* context, const v1::CrashRequest* request,
                                  v1::CrashResponse* response) override;
  grpc::ServerUnaryReactor* EndProcess(grpc::CallbackServerContext* context, const v1::EndProcessRequest* request,
                                       v1::EndProcessResponse* response) override;

 private:
  const std::shared_ptr<MockControl> control_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_MOCK_SERVICE_H_
