// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/attach_call.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "core/status/error_detail.h"
#include "daemon/service/process_service.h"
#include "daemon/service/testing/fake_pod_runtime.h"
#include "daemon/service/testing/socket_server.h"
#include "third_party/google/rpc/error.pb.h"

namespace vcd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using AttachStream = grpc::ClientReaderWriter<v1::AttachRequest, v1::AttachResponse>;

class AttachCallTest : public testing::Test {
 protected:
  // Sends the first message, takes the first answer.
  std::unique_ptr<AttachStream> Attach(grpc::ClientContext& context, bool from_start = false) {
    std::unique_ptr<AttachStream> stream = stub_->Attach(&context);
    v1::AttachRequest request;
    request.mutable_start()->set_pod_id("web");
    request.mutable_start()->set_container_id("main");
    request.mutable_start()->set_from_start(from_start);
    EXPECT_TRUE(stream->Write(request));
    v1::AttachResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.attached());
    return stream;
  }

  static void SendStdin(AttachStream& stream, const std::string& data) {
    v1::AttachRequest request;
    request.set_stdin(data);
    EXPECT_TRUE(stream.Write(request));
  }

  FakePodRuntime runtime_;
  ProcessService service_{runtime_};
  SocketServer server_{service_};
  const std::unique_ptr<v1::ProcessService::Stub> stub_ = v1::ProcessService::NewStub(server_.NewChannel());
};

TEST_F(AttachCallTest, AttachSendsOutputInOrderAndTheExitStatusLast) {
  grpc::ClientContext context;
  auto stream = Attach(context, /*from_start=*/true);
  runtime_.Write(StdStream::kStdout, "one");
  runtime_.Write(StdStream::kStderr, "two");
  runtime_.Write(StdStream::kStdout, "three");
  runtime_.EndOutput();
  runtime_.Exit(7);

  v1::AttachResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.stdout(), "one");
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.stderr(), "two");
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.stdout(), "three");
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.exit_status().code(), 7);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(runtime_.calls(), ElementsAre("Attach web main: from_start=1", "Wait web main:"));
  runtime_.AwaitReaders(0);
}

TEST_F(AttachCallTest, AttachToAnEndedProcessStillTellsAll) {
  runtime_.Write(StdStream::kStdout, "before");
  runtime_.EndOutput();
  runtime_.Exit(0);
  grpc::ClientContext context;
  auto stream = Attach(context, true);
  v1::AttachResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.stdout(), "before");
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_exit_status());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(AttachCallTest, AttachHoldsInputUntilTheGuestHasTakenIt) {
  runtime_.HoldInput(true);
  grpc::ClientContext context;
  auto stream = Attach(context);
  SendStdin(*stream, "a");
  SendStdin(*stream, "b");
  runtime_.AwaitInput("a");
  // Output flows while input is held up, so what follows has had its chance to arrive, and has not.
  runtime_.Write(StdStream::kStdout, "x");
  v1::AttachResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(runtime_.input(), "a");
  runtime_.TakeInput();
  runtime_.AwaitInput("ab");
  runtime_.TakeInput();
  runtime_.EndOutput();
  runtime_.Exit(0);
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_exit_status());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(AttachCallTest, AProcessHasOneWriterAndAnyNumberOfReaders) {
  grpc::ClientContext first_context;
  auto first = Attach(first_context);
  runtime_.AwaitWriter(false);
  SendStdin(*first, "a");  // Who writes is the writer, also unsaid.
  runtime_.AwaitInput("a");
  EXPECT_TRUE(runtime_.HasWriter("web", {"main", ""}));

  grpc::ClientContext reader_context;
  auto reader = Attach(reader_context);
  grpc::ClientContext second_context;
  auto second = stub_->Attach(&second_context);
  v1::AttachRequest request;
  request.mutable_start()->set_pod_id("web");
  request.mutable_start()->set_container_id("main");
  request.mutable_start()->set_stdin(true);
  ASSERT_TRUE(second->Write(request));
  v1::AttachResponse response;
  EXPECT_FALSE(second->Read(&response));
  const grpc::Status refused = second->Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << refused.error_message();

  // A reader that begins to write is refused then.
  SendStdin(*reader, "b");
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);

  // The end of the attach gives the right back.
  first_context.TryCancel();
  first->Finish();
  runtime_.AwaitWriter(false);
  grpc::ClientContext third_context;
  auto third = stub_->Attach(&third_context);
  ASSERT_TRUE(third->Write(request));
  ASSERT_TRUE(third->Read(&response));
  EXPECT_TRUE(response.attached());
  third_context.TryCancel();
  third->Finish();
}

TEST_F(AttachCallTest, AttachTellsTheTerminalItsSize) {
  grpc::ClientContext context;
  auto stream = stub_->Attach(&context);
  v1::AttachRequest request;
  request.mutable_start()->set_pod_id("web");
  request.mutable_start()->set_container_id("main");
  request.mutable_start()->set_stdin(true);
  request.mutable_start()->mutable_terminal_size()->set_columns(132);
  request.mutable_start()->mutable_terminal_size()->set_rows(43);
  ASSERT_TRUE(stream->Write(request));
  runtime_.AwaitCall("ResizeTerminal web main: 132x43");
  request.mutable_resize()->set_columns(90);
  request.mutable_resize()->set_rows(30);
  ASSERT_TRUE(stream->Write(request));
  runtime_.AwaitCall("ResizeTerminal web main: 90x30");

  // Of a reader beside a writer it does not count.
  grpc::ClientContext reader_context;
  auto reader = Attach(reader_context);
  request.mutable_resize()->set_columns(1);
  ASSERT_TRUE(reader->Write(request));
  request.mutable_resize()->set_columns(0);
  ASSERT_TRUE(reader->Write(request));
  v1::AttachResponse response;
  EXPECT_FALSE(reader->Read(&response));
  const grpc::Status refused = reader->Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("`resize`"));
  EXPECT_THAT(runtime_.calls(), Not(Contains(HasSubstr("1x30"))));
  context.TryCancel();
  stream->Finish();
}

TEST_F(AttachCallTest, OnlyCloseStdinClosesStandardInput) {
  grpc::ClientContext context;
  auto stream = Attach(context);
  SendStdin(*stream, "typed");
  ASSERT_TRUE(stream->WritesDone());
  runtime_.AwaitInput("typed");
  runtime_.Write(StdStream::kStdout, "still here");
  v1::AttachResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.stdout(), "still here");
  EXPECT_FALSE(runtime_.input_closed());
  context.TryCancel();
  stream->Finish();
  // The daemon hears of it a moment later, and until then the writer is this one.
  runtime_.AwaitWriter(false);

  grpc::ClientContext second;
  stream = Attach(second);
  v1::AttachRequest request;
  request.set_close_stdin(true);
  ASSERT_TRUE(stream->Write(request));
  runtime_.AwaitInputClosed();
  second.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(AttachCallTest, InputThatNobodyTakesIsDropped) {
  grpc::ClientContext context;
  auto stream = Attach(context);
  runtime_.HoldInput(true);
  SendStdin(*stream, "a");
  runtime_.AwaitInput("a");
  runtime_.TakeInput(absl::FailedPreconditionError("input is closed"));
  SendStdin(*stream, "b");
  runtime_.AwaitInput("ab");
  runtime_.EndOutput();
  runtime_.Exit(3);
  v1::AttachResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.exit_status().code(), 3);
  EXPECT_TRUE(stream->Finish().ok());
  runtime_.TakeInput();  // Comes after the call has ended, and is no harm.
}

TEST_F(AttachCallTest, LostGuestEndsTheAttach) {
  grpc::ClientContext context;
  auto stream = Attach(context);
  runtime_.EndOutput(WithDetail(absl::UnavailableError("pod web: qemu is gone"), {v1::ERROR_REASON_VM_EXITED, {}}));
  v1::AttachResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "pod web: qemu is gone");
}

TEST_F(AttachCallTest, CancelledAttachLetsGoOfEverythingButTheProcess) {
  for (const bool output_ended : {false, true}) {
    grpc::ClientContext context;
    auto stream = Attach(context);
    runtime_.AwaitReaders(1);
    if (output_ended) {
      runtime_.EndOutput();
      runtime_.AwaitWaits(1);
    }
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    runtime_.AwaitReaders(0);
    runtime_.AwaitWaits(0);
  }
  EXPECT_THAT(runtime_.calls(), Not(Contains(StartsWith("Signal"))));
}

TEST_F(AttachCallTest, CancelledAttachBearsInputThatIsTakenLater) {
  runtime_.HoldInput(true);
  grpc::ClientContext context;
  auto stream = Attach(context);
  SendStdin(*stream, "a");
  runtime_.AwaitInput("a");
  context.TryCancel();
  stream->Finish();
  runtime_.AwaitReaders(0);
  runtime_.TakeInput();
}

TEST_F(AttachCallTest, AttachBeginsWhenTheProcessIsKnown) {
  runtime_.BeginRecovery();
  std::thread ends([this] {
    runtime_.AwaitRecoveryWaits(1);
    EXPECT_THAT(runtime_.calls(), ElementsAre());
    runtime_.EndRecovery();
  });
  grpc::ClientContext context;
  auto stream = Attach(context);
  ends.join();
  SendStdin(*stream, "a");
  runtime_.AwaitInput("a");
  runtime_.Write(StdStream::kStdout, "b");
  v1::AttachResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.stdout(), "b");
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  runtime_.AwaitReaders(0);
}

TEST_F(AttachCallTest, AttachBearsAProcessThatIsKnownTooLate) {
  runtime_.BeginRecovery();
  v1::AttachRequest request;
  request.mutable_start()->set_pod_id("web");
  request.mutable_start()->set_container_id("main");
  request.mutable_start()->set_stdin(true);
  grpc::ClientContext context;
  auto stream = stub_->Attach(&context);
  ASSERT_TRUE(stream->Write(request));
  runtime_.AwaitRecoveryWaits(1);
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  runtime_.EndRecovery();
  runtime_.AwaitReaders(0);
  runtime_.AwaitWriter(false);
  // One that is never known.
  runtime_.BeginRecovery();
  grpc::ClientContext second;
  stream = stub_->Attach(&second);
  ASSERT_TRUE(stream->Write(request));
  runtime_.AwaitRecoveryWaits(1);
  runtime_.EndRecovery(absl::AbortedError("forced"));
  v1::AttachResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(AttachCallTest, AttachMustBeginWithStart) {
  v1::AttachRequest request;
  for (const bool says_something : {false, true}) {
    grpc::ClientContext context;
    auto stream = stub_->Attach(&context);
    request.set_stdin("x");
    if (says_something) stream->Write(request);
    stream->WritesDone();
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("`start`"));
  }
  EXPECT_THAT(runtime_.calls(), ElementsAre());
}

TEST_F(AttachCallTest, StartComesOnce) {
  grpc::ClientContext context;
  auto stream = Attach(context);
  v1::AttachRequest request;
  request.mutable_start()->set_pod_id("web");
  ASSERT_TRUE(stream->Write(request));
  v1::AttachResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  runtime_.AwaitReaders(0);
}

TEST_F(AttachCallTest, AttachToNothingSaysSo) {
  runtime_.SetAnswer(
      WithDetail(absl::NotFoundError("no process `x`"), {v1::ERROR_REASON_PROCESS_NOT_FOUND, {{"pod_id", "web"}}}));
  grpc::ClientContext context;
  auto stream = stub_->Attach(&context);
  v1::AttachRequest request;
  request.mutable_start()->set_pod_id("web");
  request.mutable_start()->set_container_id("main");
  request.mutable_start()->set_process_id("x");
  ASSERT_TRUE(stream->Write(request));
  v1::AttachResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  google::rpc::Status rich;
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(rich.ParseFromString(status.error_details()));
  ASSERT_TRUE(rich.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "PROCESS_NOT_FOUND");
}

TEST_F(AttachCallTest, ServerShutdownEndsOpenStreams) {
  grpc::ClientContext attach_context;
  auto attach = Attach(attach_context);
  grpc::ClientContext logs_context;
  v1::ReadLogsRequest request;
  request.set_pod_id("web");
  request.set_container_id("main");
  auto logs = stub_->ReadLogs(&logs_context, request);
  logs->WaitForInitialMetadata();
  server_.Shutdown();
  EXPECT_FALSE(attach->Finish().ok());
  EXPECT_FALSE(logs->Finish().ok());
  runtime_.AwaitReaders(0);
}

}  // namespace
}  // namespace vcd
