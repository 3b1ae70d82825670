// SPDX-License-Identifier: Apache-2.0
// What the contract cannot see: the words on the wire, and guests that are slow, early or late.
#include <signal.h>

#include <optional>
#include <string>
#include <thread>

#include "backends/agent/native/testing/native_agent_fixture.h"
#include "core/link/frame_codec.h"
#include "core/link/link_limits.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

TEST_F(NativeAgentTest, ConfirmsOutputBeforeAnybodyHasTakenIt) {
  std::optional<agent::v1::Hello> hello;
  std::thread guest([&] { hello = peer_->AnswerHello({RunningProcess("c1")}); });
  session_ = *TryConnect(context_);
  guest.join();
  EXPECT_EQ(hello->output_window(), kOutputInFlight);
  uint64_t sent = 0;
  for (int chunk = 0; chunk < 4; ++chunk) {
    peer_->Send(OutputOf("c1", sent, std::string(kOutputChunk, 'x')));
    sent += kOutputChunk;
  }
  uint64_t confirmed = 0;
  while (confirmed < sent) {
    const std::optional<agent::v1::HostMessage> message = peer_->Receive();
    ASSERT_TRUE(message.has_value() && message->has_output_received());
    EXPECT_GT(message->output_received().bytes(), confirmed);
    confirmed = message->output_received().bytes();
  }
  EXPECT_EQ(confirmed, sent);
}

TEST_F(NativeAgentTest, ARequestGoesBeforeInputThatWaits) {
  std::vector<agent::v1::Process> processes;
  for (int i = 0; i < 8; ++i) processes.push_back(RunningProcess("c" + std::to_string(i)));
  Connect(processes);
  // More than the stream takes: nobody reads it yet.
  for (const agent::v1::Process& process : processes) {
    session_->WriteInput({process.container_id(), ""}, std::string(kInputWindow, 'x'), false, [](absl::Status) {});
  }
  // A guest that takes nothing answers nothing. What was asked stays asked.
  const absl::Status asked = session_->Signal(kFirst, SIGTERM, false, {absl::Now() + absl::Milliseconds(200), nullptr});
  ASSERT_THAT(std::string(asked.message()), HasSubstr("the guest has not answered"));
  size_t before = 0;
  while (const std::optional<agent::v1::HostMessage> message = peer_->Receive()) {
    if (message->has_signal()) break;
    before += message->input().data().size();
  }
  // What the socket holds, and the chunk that was half in it.
  EXPECT_LE(before, 5 * kOutputChunk) << "of " << 8 * kInputWindow;
}

TEST_F(NativeAgentTest, WhatCameBeforeObserveIsToldInOrder) {
  Connect();
  peer_->Send(OutputOf("c1", 0, "one "));
  peer_->Send(OutputOf("c1", 4, "two"));
  peer_->Send(ExitOf("c1", 3, 7));
  // An answered request behind them proves that they were read.
  std::thread guest([&] { peer_->AnswerRequest(); });
  EXPECT_EQ(session_->Signal(kFirst, SIGTERM, false, context_), absl::OkStatus());
  guest.join();
  EXPECT_EQ(observer_.Output(kFirst, StdStream::kStdout), "");
  session_->Observe();
  ASSERT_TRUE(observer_.WaitForExit(kFirst).has_value());
  EXPECT_EQ(observer_.Output(kFirst, StdStream::kStdout), "one two");
  EXPECT_EQ(observer_.complaints(), "");
}

TEST_F(NativeAgentTest, AGuestThatTalksBeforeObserveIsHeldUpNotBelieved) {
  std::vector<agent::v1::Process> processes;
  for (int i = 0; i < 40; ++i) processes.push_back(RunningProcess(std::string("c") + std::to_string(i)));
  Connect(processes);
  const std::string chunk(kOutputWindow, 'x');
  std::thread guest([&] {
    for (const agent::v1::Process& process : processes) {
      peer_->Send(OutputOf(process.container_id(), 0, chunk));
      peer_->Send(ExitOf(process.container_id(), 0, chunk.size()));
    }
  });
  session_->Observe();
  for (const agent::v1::Process& process : processes) {
    ASSERT_TRUE(observer_.WaitForExit({process.container_id(), ""}).has_value());
  }
  guest.join();
}

TEST_F(NativeAgentTest, AnExitWaitsForTheOutputBeforeIt) {
  Connect();
  session_->Observe();
  peer_->Send(ExitOf("c1", 3, 5));
  peer_->Send(OutputOf("c1", 0, "abc"));
  ASSERT_TRUE(observer_.WaitForOutput(kFirst, StdStream::kStdout, 3));
  EXPECT_FALSE(observer_.Exit(kFirst).has_value());
  peer_->Send(OutputOf("c1", 3, "de"));
  ASSERT_TRUE(observer_.WaitForExit(kFirst).has_value());
  EXPECT_EQ(observer_.Output(kFirst, StdStream::kStdout), "abcde");
}

TEST_F(NativeAgentTest, TheExitOfBeforeIsToldOnceItsOutputCame) {
  agent::v1::Process process = RunningProcess("c1");
  process.set_stdout_acked(10);
  process.mutable_exit()->set_code(4);
  process.mutable_exit()->set_stdout_end(12);
  Connect({process});
  EXPECT_EQ(session_->info().processes[0].stdout_offset, 10u);
  session_->Observe();
  peer_->Send(OutputOf("c1", 10, "xy"));
  ASSERT_TRUE(observer_.WaitForExit(kFirst).has_value());
  EXPECT_EQ(observer_.Exit(kFirst)->code(), 4);
  EXPECT_EQ(observer_.Output(kFirst, StdStream::kStdout), "xy");
}

TEST_F(NativeAgentTest, HarmlessNonsenseIsPassedOver) {
  Connect();
  session_->Observe();
  peer_->Send(OutputOf("c1", 0, "abc"));
  peer_->Send(OutputOf("unknown", 5, "abc"));
  peer_->Send(ExitOf("unknown", 0, 0));
  peer_->Send(InputAckOf("unknown", 5));
  peer_->SendBytes(std::string(100, kFrameDelimiter));
  peer_->Send(OutputOf("c1", 0, "abc"));
  peer_->Send(OutputOf("c1", 1, "bcd"));
  peer_->Send(ExitOf("c1", 5, 4));
  peer_->Send(ExitOf("c1", 6, 9));
  ASSERT_TRUE(observer_.WaitForExit(kFirst).has_value());
  EXPECT_EQ(observer_.Exit(kFirst)->code(), 5);
  EXPECT_EQ(observer_.Output(kFirst, StdStream::kStdout), "abcd");
  std::thread guest([&] { peer_->AnswerRequest(); });
  EXPECT_EQ(session_->RemoveContainer("c1", context_), absl::OkStatus());
  guest.join();
  peer_->Send(OutputOf("c1", 4, "late"));
  std::thread again([&] { peer_->AnswerRequest(); });
  EXPECT_EQ(session_->RemoveContainer("c1", context_), absl::OkStatus());
  again.join();
  EXPECT_EQ(observer_.complaints(), "");
}

TEST_F(NativeAgentTest, ALateReplyCountsThoughNobodyWaits) {
  Connect();
  session_->Observe();
  Cancellation cancellation;
  std::optional<agent::v1::HostMessage> request;
  std::thread guest([&] {
    request = peer_->Receive();
    cancellation.Cancel(absl::AbortedError("enough"));
  });
  v1::Cmd cmd;
  EXPECT_EQ(session_->Exec({"c1", "p1"}, cmd, {context_.deadline, &cancellation}).status(),
            absl::AbortedError("enough"));
  guest.join();
  agent::v1::GuestMessage reply;
  reply.set_request_id(request->request_id());
  reply.mutable_reply()->set_pid(5);
  peer_->Send(reply);
  agent::v1::GuestMessage output = OutputOf("c1", 0, "late");
  output.mutable_output()->set_process_id("p1");
  peer_->Send(output);
  EXPECT_TRUE(observer_.WaitForOutput({"c1", "p1"}, StdStream::kStdout, 4));
}

TEST_F(NativeAgentTest, WritesThatWaitEndWithTheProcess) {
  Connect();
  session_->Observe();
  const Completion<std::string> fits = Write("a");
  EXPECT_EQ(*fits.Wait(context_, "write"), "OK");
  const Completion<std::string> waits = Write(std::string(2 * kInputWindow, 'x'));
  size_t received = 0;
  while (received < kInputWindow) {
    std::optional<agent::v1::HostMessage> message = peer_->Receive();
    ASSERT_TRUE(message.has_value() && message->has_input());
    EXPECT_EQ(message->input().offset(), received);
    received += message->input().data().size();
  }
  EXPECT_EQ(received, kInputWindow);
  EXPECT_FALSE(waits.done());
  peer_->Send(ExitOf("c1", 0, 0));
  EXPECT_EQ(*waits.Wait(context_, "write"), "FAILED_PRECONDITION");
  EXPECT_EQ(*Write("b").Wait(context_, "write"), "FAILED_PRECONDITION");
}

TEST_F(NativeAgentTest, WritesGoOnWhenTheGuestTookSome) {
  Connect();
  const std::string data(kInputWindow + 10, 'x');
  const Completion<std::string> waits = Write(data, true);
  size_t received = 0;
  while (received < data.size()) {
    std::optional<agent::v1::HostMessage> message = peer_->Receive();
    ASSERT_TRUE(message.has_value() && message->has_input());
    received += message->input().data().size();
    EXPECT_EQ(message->input().close(), received == data.size());
    if (received == kInputWindow) peer_->Send(InputAckOf("c1", 100));
  }
  EXPECT_EQ(*waits.Wait(context_, "write"), "OK");
}

TEST_F(NativeAgentTest, InputGoesOnAfterWhatAConnectionBeforeSent) {
  agent::v1::Process process = RunningProcess("c1");
  process.set_stdin_received(100);
  process.set_stdin_waiting(20);
  Connect({process});
  EXPECT_EQ(*Write("x").Wait(context_, "write"), "OK");
  const std::optional<agent::v1::HostMessage> message = peer_->Receive();
  ASSERT_TRUE(message.has_value() && message->has_input());
  EXPECT_EQ(message->input().offset(), 120u);
}

TEST_F(NativeAgentTest, WritesEndWithTheSession) {
  Connect();
  const Completion<std::string> waits = Write(std::string(2 * kInputWindow, 'x'));
  session_.reset();
  EXPECT_EQ(*waits.Wait(context_, "write"), "UNAVAILABLE");
  while (peer_->Receive().has_value()) {
  }
}

TEST_F(NativeAgentTest, TheEndOfTheLinkEndsRequestsAndIsTold) {
  Connect();
  session_->Observe();
  std::thread guest([&] {
    EXPECT_TRUE(peer_->Receive().has_value());
    peer_->Hangup();
  });
  const absl::Status status = session_->StartContainer("c1", context_);
  guest.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
  EXPECT_EQ(observer_.WaitForLoss()->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(session_->StartContainer("c1", context_).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(*Write("a").Wait(context_, "write"), "UNAVAILABLE");
}

TEST_F(NativeAgentTest, ALossBeforeObserveIsToldAfterWhatCameBefore) {
  Connect();
  peer_->Send(OutputOf("c1", 0, "last words"));
  peer_->Hangup();
  // The loss has happened when a request fails.
  EXPECT_EQ(session_->StartContainer("c1", context_).code(), absl::StatusCode::kUnavailable);
  session_->Observe();
  EXPECT_TRUE(observer_.WaitForLoss().has_value());
  EXPECT_EQ(observer_.Output(kFirst, StdStream::kStdout), "last words");
  EXPECT_EQ(observer_.complaints(), "");
}

TEST_F(NativeAgentTest, AMachineThatEndsWhileShuttingDownIsSuccess) {
  Connect();
  std::thread guest([&] {
    EXPECT_TRUE(peer_->Receive()->has_shutdown());
    peer_->Hangup();
  });
  EXPECT_EQ(session_->Shutdown(context_), absl::OkStatus());
  guest.join();
  EXPECT_EQ(session_->Shutdown(context_).code(), absl::StatusCode::kUnavailable);
}

TEST_F(NativeAgentTest, RefusesARequestThatFitsInNoFrame) {
  Connect();
  v1::Cmd cmd;
  cmd.add_args(std::string(kMaxFrameBytes, 'x'));
  const absl::Status status = session_->Exec({"c1", "p1"}, cmd, context_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("shorten"));
}

TEST_F(NativeAgentTest, AGuestThatDoesNotAnswerIsWaitedForUntilTheDeadline) {
  Connect();
  const absl::Status status = session_->StartContainer("c1", {absl::Now() + absl::Milliseconds(20)});
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("container c1: start"));
}

}  // namespace
}  // namespace vcd
