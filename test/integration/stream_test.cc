// SPDX-License-Identifier: Apache-2.0
// Readers of one process at different speeds, writers, and kills that get through, over the wire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using Processes = v1::ProcessService::Stub;

constexpr uint64_t kMuch = 32 << 20;  // More than gRPC and the daemon hold together.

// One attach, read by hand.
class Reader {
 public:
  Reader(Processes& processes, const v1::AttachRequest::Start& start) {
    ApiClient::SetDeadline(context_);
    stream_ = processes.Attach(&context_);
    v1::AttachRequest request;
    *request.mutable_start() = start;
    stream_->Write(request);
    v1::AttachResponse response;
    attached_ = stream_->Read(&response) && response.attached();
  }

  ~Reader() {
    if (finished_) return;
    context_.TryCancel();
    ReadAll();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool attached() const { return attached_; }
  void CloseInput() {
    v1::AttachRequest request;
    request.set_close_stdin(true);
    EXPECT_TRUE(stream_->Write(request));
  }
  // To the end, checking each byte of a flood.
  grpc::Status ReadAll() {
    v1::AttachResponse response;
    while (stream_->Read(&response)) {
      for (const char byte : response.stdout()) sound_ = sound_ && static_cast<uint8_t>(byte) == size_++ % 251;
      if (response.has_exit_status()) exit_ = response.exit_status();
    }
    finished_ = true;
    return stream_->Finish();
  }
  uint64_t size() const { return size_; }
  bool sound() const { return sound_; }
  const v1::ExitStatus& exit() const { return exit_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AttachRequest, v1::AttachResponse>> stream_;
  bool attached_ = false;
  bool finished_ = false;
  uint64_t size_ = 0;
  bool sound_ = true;
  v1::ExitStatus exit_;
};

class StreamTest : public testing::Test {
 protected:
  void SetUp() override {
    daemon_.config().set_hypervisor("simulated");
    daemon_.config().set_agent("simulated");
    daemon_.config().mutable_streams()->set_exec_backlog_bytes(64 << 10);
    // A reader that takes what it can is never held up for that long, however busy the machine is.
    daemon_.config().mutable_streams()->set_slow_reader_seconds(5);
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
    v1::PodConfig config = PodNamed("web");
    v1::ContainerConfig& container = *config.mutable_containers(0);
    container.mutable_rootfs()->mutable_directory()->set_path(daemon_.rootfs());
    container.mutable_cmd()->add_args("sleep");
    ASSERT_THAT(api_->RunPod(config), IsError(StatusCode::OK, ""));
  }

  v1::AttachRequest::Start Exec(const std::vector<std::string>& args) {
    v1::ExecRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    for (const std::string& arg : args) request.mutable_cmd()->add_args(arg);
    request.mutable_cmd()->set_interactive(true);
    v1::ExecResponse response;
    EXPECT_THAT(ApiClient::Call(*api_->processes, &Processes::Exec, request, &response), IsError(StatusCode::OK, ""));
    v1::AttachRequest::Start start;
    start.set_pod_id("web");
    start.set_container_id("main");
    start.set_process_id(response.process_id());
    start.set_from_start(true);
    return start;
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(StreamTest, ASlowReaderIsCutOffAndTheOthersGetEverything) {
  // It writes nothing before its input ends, when both are there.
  const v1::AttachRequest::Start start = Exec({"script", "copy", "flood " + std::to_string(kMuch)});
  Reader slow(*api_->processes, start);
  Reader fast(*api_->processes, start);
  ASSERT_TRUE(slow.attached() && fast.attached());
  fast.CloseInput();
  EXPECT_TRUE(fast.ReadAll().ok());
  EXPECT_EQ(fast.size(), kMuch);
  EXPECT_TRUE(fast.sound());
  const grpc::Status cut = slow.ReadAll();
  EXPECT_EQ(cut.error_code(), StatusCode::RESOURCE_EXHAUSTED) << cut.error_message();
  EXPECT_THAT(cut.error_message(), HasSubstr("bytes behind"));
  EXPECT_LT(slow.size(), kMuch);
  EXPECT_TRUE(slow.sound());
}

TEST_F(StreamTest, ALoneSlowReaderLosesNothing) {
  const v1::AttachRequest::Start start = Exec({"script", "copy", "flood " + std::to_string(kMuch)});
  Reader slow(*api_->processes, start);
  ASSERT_TRUE(slow.attached());
  slow.CloseInput();
  EXPECT_TRUE(slow.ReadAll().ok());
  EXPECT_EQ(slow.size(), kMuch);
  EXPECT_TRUE(slow.sound());
}

TEST_F(StreamTest, AKillIsToldThoughTheOnlyReaderTakesNothing) {
  const v1::AttachRequest::Start start = Exec({"flood", std::to_string(uint64_t{1} << 40)});
  Reader stuck(*api_->processes, start);
  ASSERT_TRUE(stuck.attached());
  v1::SignalRequest kill;
  kill.set_pod_id("web");
  kill.set_container_id("main");
  kill.set_process_id(start.process_id());
  kill.set_signal(SIGKILL);
  v1::SignalResponse killed;
  EXPECT_THAT(ApiClient::Call(*api_->processes, &Processes::Signal, kill, &killed), IsError(StatusCode::OK, ""));
  v1::WaitRequest wait;
  wait.set_pod_id("web");
  wait.set_container_id("main");
  wait.set_process_id(start.process_id());
  v1::WaitResponse ended;
  EXPECT_THAT(ApiClient::Call(*api_->processes, &Processes::Wait, wait, &ended), IsError(StatusCode::OK, ""));
  EXPECT_EQ(ended.exit_status().signal(), SIGKILL);
  // And what the process wrote before is still the reader's.
  EXPECT_TRUE(stuck.ReadAll().ok());
  EXPECT_EQ(stuck.exit().signal(), SIGKILL);
  EXPECT_TRUE(stuck.sound());
}

TEST_F(StreamTest, OneWritesAndTheDaemonKnowsWhenThatEnds) {
  v1::AttachRequest::Start start = Exec({"cat"});
  start.set_stdin(true);
  auto writer = std::make_unique<Reader>(*api_->processes, start);
  ASSERT_TRUE(writer->attached());
  Reader second(*api_->processes, start);
  EXPECT_FALSE(second.attached());
  const grpc::Status refused = second.ReadAll();
  EXPECT_EQ(refused.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(),
              HasSubstr("`vc attach --no-stdin -c main --process " + start.process_id() + " "));
  start.set_stdin(false);
  Reader along(*api_->processes, start);
  EXPECT_TRUE(along.attached());
  writer->CloseInput();
  EXPECT_TRUE(writer->ReadAll().ok());
  EXPECT_TRUE(along.ReadAll().ok());
  EXPECT_EQ(along.exit().code(), 0);
}

}  // namespace
}  // namespace vcd
