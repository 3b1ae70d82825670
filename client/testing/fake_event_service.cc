// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_event_service.h"

#include <mutex>
#include <vector>

namespace vcd::client {

grpc::Status FakeEventService::WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest* request,
                                           grpc::ServerWriter<v1::WatchEventsResponse>* writer) {
  if (grpc::Status status = state_.Enter(context, "WatchEvents", *request); !status.ok()) return status;
  std::vector<v1::Event> events;
  {
    std::lock_guard<std::mutex> lock(state_.mutex);
    events = state_.events;
  }
  for (const auto& event : events) {
    v1::WatchEventsResponse response;
    *response.mutable_event() = event;
    if (!writer->Write(response)) break;
  }
  return grpc::Status::OK;
}

}  // namespace vcd::client
