// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/port_forward_call.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/link/link_limits.h"
#include "core/status/error_detail.h"
#include "daemon/service/process_service.h"
#include "daemon/service/testing/fake_pod_runtime.h"
#include "daemon/service/testing/socket_server.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Stream = grpc::ClientReaderWriter<v1::PortForwardRequest, v1::PortForwardResponse>;

class PortForwardCallTest : public testing::Test {
 protected:
  PortForwardCallTest() {
    start_.mutable_start()->set_pod_id("web");
    start_.mutable_start()->set_port(80);
  }

  // Sends the first message, takes the first answer.
  std::unique_ptr<Stream> Connect(grpc::ClientContext& context) {
    std::unique_ptr<Stream> stream = stub_->PortForward(&context);
    EXPECT_TRUE(stream->Write(start_));
    v1::PortForwardResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.connected());
    return stream;
  }
  grpc::Status Refusal(const v1::PortForwardRequest& first) {
    grpc::ClientContext context;
    std::unique_ptr<Stream> stream = stub_->PortForward(&context);
    stream->Write(first);
    v1::PortForwardResponse response;
    EXPECT_FALSE(stream->Read(&response));
    return stream->Finish();
  }
  // What comes next beside nothing: bytes, or "closed"; "end" at the end.
  static std::string Next(Stream& stream) {
    v1::PortForwardResponse response;
    while (stream.Read(&response)) {
      if (response.closed()) return "closed";
      if (!response.data().empty()) return response.data();
    }
    return "end";
  }
  static void Send(Stream& stream, const std::string& data) {
    v1::PortForwardRequest request;
    request.set_data(data);
    EXPECT_TRUE(stream.Write(request));
  }

  FakePodRuntime runtime_;
  ProcessService service_{runtime_};
  SocketServer server_{service_};
  const std::unique_ptr<v1::ProcessService::Stub> stub_ = v1::ProcessService::NewStub(server_.NewChannel());
  v1::PortForwardRequest start_;
};

TEST_F(PortForwardCallTest, BytesGoBothWaysAndTheEndIsTold) {
  grpc::ClientContext context;
  start_.mutable_start()->set_address("::1");
  auto stream = Connect(context);
  Send(*stream, "ques");
  Send(*stream, "tion");
  runtime_.AwaitInput("question");
  EXPECT_FALSE(runtime_.input_closed());
  runtime_.Write(StdStream::kStdout, "an");
  EXPECT_EQ(Next(*stream), "an");
  // The end is known before the last bytes have come.
  runtime_.Write(StdStream::kStderr, absl::StrCat(kDialPeerEnded, "6\n"));
  runtime_.Write(StdStream::kStdout, "swer");
  EXPECT_EQ(Next(*stream), "swer");
  EXPECT_EQ(Next(*stream), "closed");
  Send(*stream, "!");
  stream->WritesDone();
  runtime_.AwaitInputClosed();
  EXPECT_EQ(runtime_.input(), "question!") << "the other way was open still";
  runtime_.EndOutput();
  runtime_.Exit(0);
  EXPECT_EQ(Next(*stream), "end");
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  server_.Shutdown();
  EXPECT_THAT(runtime_.calls(), ElementsAre("PortForward web ::1:80", "Attach web :dial-1 from_start=1",
                                            "Wait web :dial-1", "EndPortForward web :dial-1"));
}

TEST_F(PortForwardCallTest, CloseEndsTheInputAndNothingElse) {
  grpc::ClientContext context;
  auto stream = Connect(context);
  v1::PortForwardRequest close;
  close.set_close(true);
  ASSERT_TRUE(stream->Write(close));
  runtime_.AwaitInputClosed();
  runtime_.Write(StdStream::kStdout, "answer");
  EXPECT_EQ(Next(*stream), "answer");
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_.Shutdown();
  EXPECT_EQ(runtime_.calls().back(), "EndPortForward web :dial-1");
}

TEST_F(PortForwardCallTest, InputGoesAtTheGuestsPace) {
  runtime_.HoldInput(true);
  grpc::ClientContext context;
  auto stream = Connect(context);
  Send(*stream, "one");
  Send(*stream, "two");
  runtime_.AwaitInput("one");
  runtime_.TakeInput();
  runtime_.AwaitInput("onetwo");
  runtime_.TakeInput(absl::FailedPreconditionError("it has ended"));
  runtime_.EndOutput();
  runtime_.Exit(0);
  EXPECT_EQ(Next(*stream), "end");
  EXPECT_TRUE(stream->Finish().ok()) << "how the connection ended says its process";
}

TEST_F(PortForwardCallTest, BrokenConnectionSaysWhy) {
  grpc::ClientContext context;
  auto stream = Connect(context);
  runtime_.Write(StdStream::kStderr, "the connection broke: Connection reset by peer");
  runtime_.EndOutput();
  runtime_.Exit(kDialBroken);
  EXPECT_EQ(Next(*stream), "end");
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "pod web, port 80: the connection broke: Connection reset by peer");
}

TEST_F(PortForwardCallTest, RefusalsComeBeforeAnythingElse) {
  runtime_.SetAnswer(WithDetail(absl::UnavailableError("refused"), {v1::ERROR_REASON_CONNECTION_REFUSED, {}}));
  EXPECT_EQ(Refusal(start_).error_code(), grpc::StatusCode::UNAVAILABLE);
  const size_t asked = runtime_.calls().size();
  v1::PortForwardRequest data;
  data.set_data("early");
  EXPECT_THAT(Refusal(data).error_message(), HasSubstr("`start`: is missing"));
  for (const uint32_t port : {0u, 65536u}) {
    start_.mutable_start()->set_port(port);
    EXPECT_THAT(Refusal(start_).error_message(), HasSubstr("`start.port`: is"));
  }
  start_.mutable_start()->set_pod_id("");
  EXPECT_EQ(Refusal(start_).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(runtime_.calls().size(), asked) << "without asking the runtime";
}

TEST_F(PortForwardCallTest, SecondStartIsRefused) {
  grpc::ClientContext context;
  auto stream = Connect(context);
  ASSERT_TRUE(stream->Write(start_));
  EXPECT_EQ(Next(*stream), "end");
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  server_.Shutdown();
  EXPECT_EQ(runtime_.calls().back(), "EndPortForward web :dial-1");
}

}  // namespace
}  // namespace vcd
