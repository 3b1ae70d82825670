// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/event_service.h"

#include <memory>
#include <utility>

#include "daemon/service/request_check.h"
#include "daemon/service/write_stream.h"

namespace vcd {
namespace {

class EventStream final : public WriteStream<v1::WatchEventsResponse> {
 public:
  EventStream(EventBus& events, const v1::WatchEventsRequest& request)
      : WriteStream(CallLog("WatchEvents", CallKind::kRead, request.pod_id())) {
    absl::Status status = CheckOptionalId("pod_id", request.pod_id());
    if (status.ok()) {
      auto reader = events.Subscribe(request.after_revision(), request.pod_id());
      status = reader.status();
      if (reader.ok()) reader_ = *std::move(reader);
    }
    Begin(status);
  }

 private:
  void AskNext() override {
    reader_->Next([this](absl::StatusOr<std::shared_ptr<const v1::Event>> event) {
      if (!event.ok()) return End(event.status());
      v1::WatchEventsResponse response;
      *response.mutable_event() = **event;
      Send(std::move(response));
    });
  }

  void DropSource() override { reader_.reset(); }

  std::unique_ptr<EventReader> reader_;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchEventsResponse>* EventService::WatchEvents(grpc::CallbackServerContext*,
                                                                             const v1::WatchEventsRequest* request) {
  return new EventStream(events_, *request);
}

}  // namespace vcd
