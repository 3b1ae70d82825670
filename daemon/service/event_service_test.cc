// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/event_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

class EventServiceTest : public testing::Test {
 protected:
  EventServiceTest() : service_(events_) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::EventService::NewStub(server_->InProcessChannel(grpc::ChannelArguments()));
  }

  uint64_t Publish(const std::string& pod_id) {
    v1::Event event;
    event.set_pod_id(pod_id);
    event.set_type(v1::EVENT_TYPE_POD_CREATED);
    return events_.Publish(event);
  }

  std::unique_ptr<grpc::ClientReader<v1::WatchEventsResponse>> Watch(grpc::ClientContext& context, uint64_t after,
                                                                     const std::string& pod_id = "") {
    v1::WatchEventsRequest request;
    request.set_after_revision(after);
    request.set_pod_id(pod_id);
    auto stream = stub_->WatchEvents(&context, request);
    stream->WaitForInitialMetadata();
    return stream;
  }

  EventBus events_{/*capacity=*/4};
  EventService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::EventService::Stub> stub_;
};

TEST_F(EventServiceTest, WatchThatStandsMissesNothing) {
  Publish("before");
  grpc::ClientContext context;
  auto stream = Watch(context, 0);
  Publish("a");
  Publish("b");
  v1::WatchEventsResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.event().pod_id(), "a");
  EXPECT_EQ(response.event().revision(), 2u);
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.event().pod_id(), "b");
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(EventServiceTest, WatchResumesAfterARevisionOfOnePod) {
  Publish("a");
  Publish("b");
  Publish("a");
  grpc::ClientContext context;
  auto stream = Watch(context, 1, "a");
  v1::WatchEventsResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.event().revision(), 3u);
  context.TryCancel();
  stream->Finish();
}

TEST_F(EventServiceTest, RevisionThatIsGoneIsOutOfRange) {
  for (int i = 0; i < 10; ++i) Publish("a");
  grpc::ClientContext context;
  auto stream = Watch(context, 2);
  v1::WatchEventsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(EventServiceTest, ClosedBusEndsTheWatch) {
  grpc::ClientContext context;
  auto stream = Watch(context, 0);
  events_.Close(absl::UnavailableError("vcd shuts down"));
  v1::WatchEventsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(EventServiceTest, BadPodIdIsRefused) {
  grpc::ClientContext context;
  auto stream = Watch(context, 0, "../x");
  v1::WatchEventsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace vcd
