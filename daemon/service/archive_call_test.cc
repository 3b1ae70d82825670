// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/archive_call.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/link/link_limits.h"
#include "daemon/service/container_service.h"
#include "daemon/service/testing/fake_pod_runtime.h"
#include "daemon/service/testing/socket_server.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArchiveCallTest : public testing::Test {
 protected:
  ArchiveCallTest() {
    read_.set_pod_id("web");
    read_.set_container_id("main");
    read_.set_path("/etc");
    start_.mutable_start()->set_pod_id("web");
    start_.mutable_start()->set_container_id("main");
    start_.mutable_start()->set_path("/srv");
  }

  // All that comes, and how it ends.
  grpc::Status ReadAll(std::string* data) {
    grpc::ClientContext context;
    auto stream = stub_->ReadArchive(&context, read_);
    v1::ReadArchiveResponse response;
    while (stream->Read(&response)) *data += response.data();
    return stream->Finish();
  }
  grpc::Status WriteAll(const std::vector<v1::WriteArchiveRequest>& requests) {
    grpc::ClientContext context;
    v1::WriteArchiveResponse response;
    auto stream = stub_->WriteArchive(&context, &response);
    for (const v1::WriteArchiveRequest& request : requests) stream->Write(request);
    stream->WritesDone();
    return stream->Finish();
  }
  static v1::WriteArchiveRequest Data(const std::string& bytes) {
    v1::WriteArchiveRequest request;
    request.set_data(bytes);
    return request;
  }

  FakePodRuntime runtime_;
  ContainerService service_{runtime_};
  SocketServer server_{service_};
  const std::unique_ptr<v1::ContainerService::Stub> stub_ = v1::ContainerService::NewStub(server_.NewChannel());
  v1::ReadArchiveRequest read_;
  v1::WriteArchiveRequest start_;
};

TEST_F(ArchiveCallTest, OutputIsTheStream) {
  runtime_.Write(StdStream::kStdout, "one");
  runtime_.Write(StdStream::kStderr, "not shown");
  runtime_.Write(StdStream::kStdout, "two");
  runtime_.EndOutput();
  runtime_.Exit(0);
  read_.set_follow_symlink(true);
  std::string data;
  const grpc::Status status = ReadAll(&data);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(data, "onetwo");
  EXPECT_THAT(runtime_.calls(),
              ElementsAre("ExecArchive web main /etc write=0 follow=1 stat=0 owner=0",
                          HasSubstr("Attach web main:copy-1 from_start=1"), HasSubstr("Wait web main:copy-1")));
}

TEST_F(ArchiveCallTest, FailureIsWhatTheGuestComplainsOf) {
  struct Case {
    int exit_code;
    grpc::StatusCode code;
  };
  runtime_.Write(StdStream::kStderr, "/etc: no luck\n");
  runtime_.EndOutput();
  for (const Case& c : {Case{kArchivePathNotFound, grpc::StatusCode::NOT_FOUND},
                        Case{kArchiveInvalid, grpc::StatusCode::INVALID_ARGUMENT},
                        Case{kArchiveFailed, grpc::StatusCode::FAILED_PRECONDITION},
                        Case{137, grpc::StatusCode::FAILED_PRECONDITION}}) {
    runtime_.Exit(c.exit_code);
    std::string data;
    const grpc::Status status = ReadAll(&data);
    EXPECT_EQ(status.error_code(), c.code);
    EXPECT_THAT(status.error_message(), HasSubstr("pack /etc: /etc: no luck"));
  }
}

TEST_F(ArchiveCallTest, ClientThatGoesEndsTheProcess) {
  grpc::ClientContext context;
  auto stream = stub_->ReadArchive(&context, read_);
  stream->WaitForInitialMetadata();
  runtime_.AwaitReaders(1);
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  runtime_.AwaitReaders(0);
  server_.Shutdown();  // After that no call of the service runs.
  EXPECT_THAT(runtime_.calls().back(), HasSubstr("Signal web main:copy-1 9"));
}

TEST_F(ArchiveCallTest, RequestsAreTheInput) {
  grpc::ClientContext context;
  v1::WriteArchiveResponse response;
  start_.mutable_start()->set_keep_owner(true);
  auto stream = stub_->WriteArchive(&context, &response);
  ASSERT_TRUE(stream->Write(start_));
  ASSERT_TRUE(stream->Write(Data("one")));
  ASSERT_TRUE(stream->Write(Data("two")));
  stream->WritesDone();
  runtime_.AwaitInputClosed();
  EXPECT_EQ(runtime_.input(), "onetwo");
  runtime_.EndOutput();
  runtime_.Exit(0);
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(runtime_.calls()[0], "ExecArchive web main /srv write=1 follow=0 stat=0 owner=1");
}

TEST_F(ArchiveCallTest, ProcessThatEndsEarlyEndsTheCall) {
  runtime_.Write(StdStream::kStderr, "it is full");
  runtime_.EndOutput();
  runtime_.Exit(kArchiveFailed);
  grpc::ClientContext context;
  v1::WriteArchiveResponse response;
  auto stream = stub_->WriteArchive(&context, &response);
  ASSERT_TRUE(stream->Write(start_));
  // Without the end of the requests.
  EXPECT_THAT(stream->Finish().error_message(), HasSubstr("unpack below /srv: it is full"));
}

TEST_F(ArchiveCallTest, WrongRequestsAreRefused) {
  std::string data;
  for (const char* path : {"", "etc"}) {
    read_.set_path(path);
    EXPECT_EQ(ReadAll(&data).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    v1::WriteArchiveRequest start = start_;
    start.mutable_start()->set_path(path);
    EXPECT_EQ(WriteAll({start}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_THAT(WriteAll({}).error_message(), HasSubstr("the first message must say where"));
  EXPECT_THAT(WriteAll({Data("x")}).error_message(), HasSubstr("the first message must say where"));
  EXPECT_THAT(WriteAll({start_, start_}).error_message(), HasSubstr("every message after the first carries bytes"));
  EXPECT_THAT(WriteAll({start_, Data(std::string((1 << 20) + 1, 'x'))}).error_message(), HasSubstr("1 MiB"));
  runtime_.SetAnswer(absl::NotFoundError("no pod"));
  EXPECT_EQ(WriteAll({start_}).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace vcd
