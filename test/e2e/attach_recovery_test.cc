// SPDX-License-Identifier: Apache-2.0
// vcd is killed in the middle of an attach, with output flowing: what is in the log, what a new attach gets, and the
// exit.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

constexpr int kLines = 60'000;

std::string Counted() {
  std::string text;
  for (int i = 0; i < kLines; ++i) absl::StrAppend(&text, "line ", i, "\n");
  return text;
}

// Prints all of that, many times what is held on the way, and ends with `code`. The last line comes once there is
// /tmp/go: until then it has not ended, however late those come who look.
std::vector<std::string> Counter(int code) {
  return {"sh", "-c",
          absl::StrCat("i=0; while [ $i -lt ", kLines - 1, " ]; do echo line $i; i=$((i+1)); done; ",
                       "while test ! -e /tmp/go; do sleep 0.05; done; echo line $i; exit ", code)};
}

// An attached client.
class Attached {
 public:
  Attached(const std::shared_ptr<grpc::Channel>& channel, const std::string& pod_id, const std::string& process_id)
      : stub_(v1::ProcessService::NewStub(channel)) {
    v1::AttachRequest request;
    request.mutable_start()->set_pod_id(pod_id);
    request.mutable_start()->set_container_id("main");
    request.mutable_start()->set_process_id(process_id);
    request.mutable_start()->set_from_start(true);
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(4));
    // A daemon that has just started answers when it has asked the guest.
    stream_ = stub_->Attach(&context_);
    EXPECT_TRUE(stream_->Write(request));
  }
  ~Attached() {
    context_.TryCancel();
    if (!finished_) (void)stream_->Finish();
  }

  // False when the stream ends before.
  bool ReadBytes(size_t bytes) {
    while (output_.size() < bytes && !exit_.has_value()) {
      v1::AttachResponse response;
      if (!stream_->Read(&response)) return false;
      output_ += response.stdout();
      if (response.has_exit_status()) exit_ = response.exit_status().code();
    }
    return output_.size() >= bytes;
  }
  void ExpectBroken() {
    while (ReadBytes(output_.size() + 1)) {
    }
    EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
    finished_ = true;
  }

  const std::string& output() const { return output_; }
  std::optional<int> exit() const { return exit_; }

 private:
  const std::unique_ptr<v1::ProcessService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AttachRequest, v1::AttachResponse>> stream_;
  std::string output_;
  std::optional<int> exit_;
  bool finished_ = false;
};

class AttachRecoveryTest : public E2eTest {
 protected:
  int Wait(const std::string& pod_id, const std::string& process_id) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
    v1::WaitRequest request;
    request.set_pod_id(pod_id);
    request.set_container_id("main");
    request.set_process_id(process_id);
    v1::WaitResponse response;
    const grpc::Status status = v1::ProcessService::NewStub(daemon().channel())->Wait(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.exit_status().code();
  }
};

TEST_F(AttachRecoveryTest, AContainersLogHasEveryByteOnceAndItsExitIsThere) {
  RunDetached("box", Counter(5));
  const std::string expected = Counted();
  for (const size_t bytes : {size_t{50'000}, expected.size() / 4, expected.size() / 2}) {
    Attached client(daemon().channel(), "box", "");
    ASSERT_TRUE(client.ReadBytes(bytes));
    ASSERT_FALSE(client.exit().has_value());
    daemon().Kill();
    client.ExpectBroken();
    EXPECT_EQ(expected.compare(0, client.output().size(), client.output()), 0);
    daemon().Start();
  }
  EXPECT_THAT(Exec("box", {"touch", "/tmp/go"}), ExitsWith(0));
  Attached client(daemon().channel(), "box", "");
  EXPECT_FALSE(client.ReadBytes(expected.size() + 1));
  EXPECT_EQ(client.exit(), 5);
  EXPECT_TRUE(client.output() == expected);
  EXPECT_TRUE(Must({"logs", "box"}) == expected);
  EXPECT_EQ(Must({"wait", "box"}), "5\n");
  Must({"rm", "-f", "box"});
}

TEST_F(AttachRecoveryTest, AnExecGoesOnWithANewAttachAndItsExitIsThere) {
  RunDetached("box", {"sleep", "1000"});
  v1::ExecRequest request;
  request.set_pod_id("box");
  request.set_container_id("main");
  for (const std::string& word : Counter(6)) request.mutable_cmd()->add_args(word);
  v1::ExecResponse response;
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
    const grpc::Status status = v1::ProcessService::NewStub(daemon().channel())->Exec(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  const std::string expected = Counted();
  Attached before(daemon().channel(), "box", response.process_id());
  ASSERT_TRUE(before.ReadBytes(100'000));
  ASSERT_FALSE(before.exit().has_value());
  daemon().Kill();
  before.ExpectBroken();
  EXPECT_EQ(expected.compare(0, before.output().size(), before.output()), 0);

  daemon().Start();
  EXPECT_THAT(Exec("box", {"touch", "/tmp/go"}), ExitsWith(0));
  Attached after(daemon().channel(), "box", response.process_id());
  EXPECT_FALSE(after.ReadBytes(expected.size() + 1));
  EXPECT_EQ(after.exit(), 6);
  // What the daemon had taken for the client before is gone with it; from there on nothing is missing.
  ASSERT_LE(after.output().size(), expected.size());
  EXPECT_GT(after.output().size(), 0u);
  EXPECT_EQ(expected.compare(expected.size() - after.output().size(), std::string::npos, after.output()), 0);
  EXPECT_EQ(Wait("box", response.process_id()), 6);
  Must({"rm", "-f", "box"});
}

}  // namespace
}  // namespace vcd
