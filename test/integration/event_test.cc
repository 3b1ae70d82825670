// SPDX-License-Identifier: Apache-2.0
// WatchEvents, over the wire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;

class EventTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
  }

  std::unique_ptr<grpc::ClientReader<v1::WatchEventsResponse>> Watch(grpc::ClientContext& context, uint64_t after,
                                                                     const std::string& pod_id = "") {
    ApiClient::SetDeadline(context);
    v1::WatchEventsRequest request;
    request.set_after_revision(after);
    request.set_pod_id(pod_id);
    auto stream = api_->events->WatchEvents(&context, request);
    stream->WaitForInitialMetadata();
    return stream;
  }

  // Reads until the event comes; a watch that ends first is a failure.
  static v1::Event ReadUntil(grpc::ClientReader<v1::WatchEventsResponse>& stream, v1::EventType type) {
    v1::WatchEventsResponse response;
    uint64_t last = 0;
    while (stream.Read(&response)) {
      EXPECT_GT(response.event().revision(), last);
      last = response.event().revision();
      if (response.event().type() == type) return response.event();
    }
    ADD_FAILURE() << "the watch ended before " << v1::EventType_Name(type);
    return v1::Event();
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(EventTest, WatchTellsThePodsLifeInOrder) {
  grpc::ClientContext context;
  auto stream = Watch(context, 0, "web");
  ASSERT_THAT(api_->CreatePod(PodNamed("other")), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->CreatePod(PodNamed("web")), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->StartPod("web"), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->PausePod("web"), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->ResumePod("web"), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->StopPod("web"), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->DeletePod("web"), IsError(StatusCode::OK, ""));
  for (const v1::EventType type :
       {v1::EVENT_TYPE_POD_CREATED, v1::EVENT_TYPE_POD_STARTED, v1::EVENT_TYPE_POD_PAUSED, v1::EVENT_TYPE_POD_RESUMED,
        v1::EVENT_TYPE_POD_STOPPED, v1::EVENT_TYPE_POD_DELETED}) {
    EXPECT_EQ(ReadUntil(*stream, type).pod_id(), "web");
  }
  context.TryCancel();
}

TEST_F(EventTest, WatchResumesWhereItEnded) {
  uint64_t revision = 0;
  {
    grpc::ClientContext context;
    auto stream = Watch(context, 0);
    ASSERT_THAT(api_->CreatePod(PodNamed("web")), IsError(StatusCode::OK, ""));
    revision = ReadUntil(*stream, v1::EVENT_TYPE_POD_CREATED).revision();
    context.TryCancel();
  }
  ASSERT_THAT(api_->StartPod("web"), IsError(StatusCode::OK, ""));
  grpc::ClientContext context;
  auto stream = Watch(context, revision);
  EXPECT_GT(ReadUntil(*stream, v1::EVENT_TYPE_POD_STARTED).revision(), revision);
  context.TryCancel();
}

TEST_F(EventTest, RevisionThatNeverWasIsOutOfRange) {
  grpc::ClientContext context;
  auto stream = Watch(context, 1u << 30);
  v1::WatchEventsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(DecodeError(stream->Finish()), IsError(StatusCode::OUT_OF_RANGE, "REVISION_GONE"));
}

TEST_F(EventTest, ShutdownEndsTheWatch) {
  grpc::ClientContext context;
  auto stream = Watch(context, 0);
  daemon_.Stop();
  v1::WatchEventsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace vcd
