// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/log_stream.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "daemon/service/process_service.h"
#include "daemon/service/testing/fake_pod_runtime.h"
#include "daemon/service/testing/socket_server.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LogStreamTest : public testing::Test {
 protected:
  FakePodRuntime runtime_;
  ProcessService service_{runtime_};
  SocketServer server_{service_};
  const std::unique_ptr<v1::ProcessService::Stub> stub_ = v1::ProcessService::NewStub(server_.NewChannel());
};

TEST_F(LogStreamTest, LogsComeInOrderWithTimeAndStream) {
  runtime_.Write(StdStream::kStdout, "one\n");
  runtime_.Write(StdStream::kStderr, "two\n");
  runtime_.EndOutput();
  v1::ReadLogsRequest request;
  request.set_pod_id("web");
  request.set_container_id("main");
  request.set_follow(true);
  request.set_tail_lines(2);
  request.mutable_since()->set_seconds(1);
  request.mutable_since()->set_nanos(500000000);
  grpc::ClientContext context;
  auto stream = stub_->ReadLogs(&context, request);
  v1::ReadLogsResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.data(), "one\n");
  EXPECT_EQ(response.stream(), v1::OUTPUT_STREAM_STDOUT);
  EXPECT_EQ(response.time().seconds(), 1);
  EXPECT_EQ(response.time().nanos(), 500000000);
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.stream(), v1::OUTPUT_STREAM_STDERR);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(runtime_.calls(), ElementsAre("ReadLogs web main follow=1 tail=2 since=1970-01-01T00:00:01.5+00:00"));
  runtime_.AwaitReaders(0);
}

TEST_F(LogStreamTest, CancelledLogsLetGoOfTheReader) {
  v1::ReadLogsRequest request;
  request.set_pod_id("web");
  request.set_container_id("main");
  grpc::ClientContext context;
  auto stream = stub_->ReadLogs(&context, request);
  stream->WaitForInitialMetadata();
  runtime_.AwaitReaders(1);
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  runtime_.AwaitReaders(0);
}

TEST_F(LogStreamTest, LogsSinceNoTimeAreRefused) {
  for (const auto& [seconds, nanos] : {std::pair<int64_t, int32_t>{0, -1}, {0, 1000000000}, {253402300800, 0}}) {
    v1::ReadLogsRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    request.mutable_since()->set_seconds(seconds);
    request.mutable_since()->set_nanos(nanos);
    grpc::ClientContext context;
    auto stream = stub_->ReadLogs(&context, request);
    v1::ReadLogsResponse response;
    EXPECT_FALSE(stream->Read(&response));
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("since"));
  }
  EXPECT_THAT(runtime_.calls(), ElementsAre());
}

TEST_F(LogStreamTest, LogsOfNothingSaySo) {
  runtime_.SetAnswer(absl::NotFoundError("no container"));
  v1::ReadLogsRequest request;
  request.set_pod_id("web");
  request.set_container_id("main");
  grpc::ClientContext context;
  auto stream = stub_->ReadLogs(&context, request);
  v1::ReadLogsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace vcd
