// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_EVENT_SERVICE_H_
#define VCD_DAEMON_SERVICE_EVENT_SERVICE_H_

#include "core/event/event_bus.h"
#include "proto/vcd/v1/event_service.grpc.pb.h"

namespace vcd {

// vcd.v1.EventService over the event bus, which outlives it. Holds no thread while a watch waits.
class EventService final : public v1::EventService::CallbackService {
 public:
  explicit EventService(EventBus& events) : events_(events) {}

  grpc::ServerWriteReactor<v1::WatchEventsResponse>* WatchEvents(grpc::CallbackServerContext* context,
                                                                 const v1::WatchEventsRequest* request) override;

 private:
  EventBus& events_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_EVENT_SERVICE_H_
