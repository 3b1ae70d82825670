// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_EVENT_SERVICE_H_
#define VCD_CLIENT_TESTING_FAKE_EVENT_SERVICE_H_

#include "client/testing/fake_state.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/event_service.grpc.pb.h"

namespace vcd::client {

// Tells the events of the state. A part of FakeServer.
class FakeEventService final : public v1::EventService::Service {
 public:
  // Borrows the state.
  explicit FakeEventService(FakeState* state) : state_(*state) {}

  grpc::Status WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest* request,
                           grpc::ServerWriter<v1::WatchEventsResponse>* writer) override;

 private:
  FakeState& state_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_EVENT_SERVICE_H_
