// SPDX-License-Identifier: Apache-2.0
// What the contract cannot see: the words on the wire, and guests that do not keep to the protocol.
#include "backends/agent/native/native_agent.h"

#include <signal.h>

#include <limits>
#include <thread>

#include "core/agent/testing/recording_observer.h"
#include "core/agent/testing/scripted_guest.h"
#include "core/agent/testing/socket_machine.h"
#include "core/link/link_limits.h"
#include "core/os/completion.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

const ProcessKey kFirst{"c1", ""};

agent::v1::Process RunningProcess(const std::string& container_id) {
  agent::v1::Process process;
  process.set_container_id(container_id);
  process.set_pid(101);
  process.set_started(true);
  return process;
}

agent::v1::GuestMessage OutputOf(const std::string& container_id, uint64_t offset, const std::string& data) {
  agent::v1::GuestMessage message;
  message.mutable_output()->set_container_id(container_id);
  message.mutable_output()->set_stream(agent::v1::STREAM_STDOUT);
  message.mutable_output()->set_offset(offset);
  message.mutable_output()->set_data(data);
  return message;
}

agent::v1::GuestMessage ExitOf(const std::string& container_id, int code, uint64_t stdout_end) {
  agent::v1::GuestMessage message;
  message.mutable_exit()->set_container_id(container_id);
  message.mutable_exit()->mutable_exit()->set_code(code);
  message.mutable_exit()->mutable_exit()->set_stdout_end(stdout_end);
  return message;
}

agent::v1::GuestMessage InputAckOf(const std::string& container_id, uint64_t offset) {
  agent::v1::GuestMessage message;
  message.mutable_input_ack()->set_container_id(container_id);
  message.mutable_input_ack()->set_offset(offset);
  return message;
}

class NativeAgentTest : public ::testing::Test {
 protected:
  NativeAgentTest() {
    auto ends = SocketPair();
    host_end_ = std::move(ends->first);
    peer_ = std::make_unique<GuestPeer>(std::move(ends->second));
  }

  absl::StatusOr<std::unique_ptr<GuestSession>> TryConnect(const CallContext& context) {
    return agent_.Connect({"pod-1", "host-1"}, machine_, observer_, context);
  }

  // A session with a guest that has these processes.
  void Connect(const std::vector<agent::v1::Process>& processes = {RunningProcess("c1")}) {
    std::thread guest([&] { peer_->AnswerHello(processes); });
    auto session = TryConnect(context_);
    guest.join();
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
  }

  // What a write ends with.
  Completion<std::string> Write(const std::string& data, bool close = false) {
    const Completion<std::string> done;
    session_->WriteInput(kFirst, data, close, [done](const absl::Status& status) {
      done.Set(std::string(absl::StatusCodeToString(status.code())));
    });
    return done;
  }

  const CallContext context_{absl::Now() + absl::Seconds(30)};
  UniqueFd host_end_;
  std::unique_ptr<GuestPeer> peer_;
  std::string console_ = "boot\x1b[1m line\nKernel panic\n";
  SocketMachine machine_{[this]() -> absl::StatusOr<UniqueFd> { return std::move(host_end_); }, console_};
  IoThread io_;
  RecordingObserver observer_;
  // Slow test machines must not say HELLO more often than the tests answer it.
  NativeAgent agent_{io_, {.hello_freshness = absl::InfiniteDuration()}};
  std::unique_ptr<GuestSession> session_;
};

TEST_F(NativeAgentTest, HelloTellsTimeNameAndEntropy) {
  std::optional<agent::v1::Hello> hello;
  std::thread guest([&] { hello = peer_->AnswerHello(); });
  session_ = *TryConnect(context_);
  guest.join();
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->nonce().size(), 16u);
  EXPECT_EQ(hello->protocol_version(), kProtocolVersion);
  EXPECT_EQ(hello->hostname(), "host-1");
  EXPECT_GE(hello->entropy().size(), 32u);
  EXPECT_LT(absl::Now() - absl::FromUnixNanos(static_cast<int64_t>(hello->unix_time_ns())), absl::Seconds(30));
  EXPECT_EQ(session_->info().agent_version, "scripted");
  EXPECT_EQ(session_->info().kernel_release, "6.1.0-scripted");
}

TEST_F(NativeAgentTest, SaysHelloOnceMoreWhenTheAnswerCameLate) {
  NativeAgent impatient(io_, {.hello_freshness = -absl::Seconds(1)});
  std::optional<agent::v1::Hello> first;
  std::optional<agent::v1::Hello> second;
  std::thread guest([&] {
    first = peer_->AnswerHello();
    second = peer_->AnswerHello({RunningProcess("c1")});
  });
  auto session = impatient.Connect({"pod-1", "host-1"}, machine_, observer_, context_);
  guest.join();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_NE(first->nonce(), second->nonce());
  EXPECT_GE(second->unix_time_ns(), first->unix_time_ns());
  EXPECT_EQ((*session)->info().processes.size(), 1u);
}

TEST_F(NativeAgentTest, ThrowsAwayWhatAConnectionBeforeLeft) {
  std::thread guest([&] {
    std::optional<agent::v1::HostMessage> message = peer_->Receive();
    ASSERT_TRUE(message.has_value() && message->has_hello());
    const std::string whole = EncodeFrame(OutputOf("c1", 0, "stale").SerializeAsString());
    peer_->SendBytes(whole.substr(whole.size() / 2));
    peer_->SendBytes(whole);
    peer_->SendBytes(EncodeFrame(ExitOf("c1", 1, 0).SerializeAsString()));
    agent::v1::GuestMessage reply;
    reply.set_request_id(77);
    reply.mutable_reply();
    peer_->Send(reply);
    agent::v1::Hello other;
    other.set_nonce("0123456789abcdef");
    peer_->Send(HelloAnswer(other, {RunningProcess("old")}));
    peer_->SendBytes(EncodeFrame("\xff\xff no message"));
    peer_->SendBytes(whole.substr(0, whole.size() / 2));
    peer_->SendBytes(std::string(1, kFrameDelimiter));
    peer_->Send(HelloAnswer(message->hello(), {RunningProcess("c1")}));
    peer_->Send(OutputOf("c1", 0, "fresh"));
  });
  auto session = TryConnect(context_);
  guest.join();
  ASSERT_TRUE(session.ok()) << session.status();
  ASSERT_EQ((*session)->info().processes.size(), 1u);
  EXPECT_EQ((*session)->info().processes[0].key, kFirst);
  (*session)->Observe();
  ASSERT_TRUE(observer_.WaitForOutput(kFirst, StdStream::kStdout, 5));
  EXPECT_EQ(observer_.Output(kFirst, StdStream::kStdout), "fresh");
}

TEST_F(NativeAgentTest, OnlyDamageAfterTheAnswerIsItsOwn) {
  std::thread guest([&] {
    const std::optional<agent::v1::HostMessage> message = peer_->Receive();
    ASSERT_TRUE(message.has_value() && message->has_hello());
    // In one piece, so that all of it can come by one read.
    peer_->SendBytes("half of a frame" + std::string(1, kFrameDelimiter) +
                     EncodeFrame(HelloAnswer(message->hello(), {RunningProcess("c1")}).SerializeAsString()) +
                     EncodeFrame(OutputOf("c1", 0, "fresh").SerializeAsString()));
  });
  auto session = TryConnect(context_);
  guest.join();
  ASSERT_TRUE(session.ok()) << session.status();
  (*session)->Observe();
  ASSERT_TRUE(observer_.WaitForOutput(kFirst, StdStream::kStdout, 5));
  peer_->SendBytes("half of a frame" + std::string(1, kFrameDelimiter));
  EXPECT_THAT(std::string(observer_.WaitForLoss()->message()), HasSubstr("damaged frame"));
}

TEST_F(NativeAgentTest, WhatIsNoTextGoesIntoNoLog) {
  agent::v1::GuestMessage message = HelloAnswer(agent::v1::Hello(), {});
  message.mutable_hello_ack()->set_kernel_release("6.1\xff");
  std::string body;
  message.SerializePartialToString(&body);
  std::thread guest([&] {
    const std::optional<agent::v1::HostMessage> hello = peer_->Receive();
    for (int i = 0; i < 100; ++i) peer_->SendBytes(EncodeFrame(body));
    peer_->Send(HelloAnswer(hello->hello(), {}));
  });
  ::testing::internal::CaptureStderr();
  const auto session = TryConnect(context_);
  guest.join();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(session.ok()) << session.status();
}

TEST_F(NativeAgentTest, RefusesATableThatIsABomb) {
  std::thread guest([&] { peer_->AnswerHello(std::vector<agent::v1::Process>(200'000)); });
  const absl::Status status = TryConnect(context_).status();
  guest.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a message of 200000 processes"));
}

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
  std::thread caller([&] { EXPECT_EQ(session_->Signal(kFirst, SIGTERM, false, context_), absl::OkStatus()); });
  size_t before = 0;
  while (const std::optional<agent::v1::HostMessage> message = peer_->Receive()) {
    if (message->has_signal()) {
      agent::v1::GuestMessage reply;
      reply.set_request_id(message->request_id());
      reply.mutable_reply();
      peer_->Send(reply);
      break;
    }
    before += message->input().data().size();
  }
  caller.join();
  // What the socket holds, and the chunk that was half in it.
  EXPECT_LE(before, 5 * kOutputChunk) << "of " << 8 * kInputWindow;
}

TEST_F(NativeAgentTest, ASilentGuestFailsWithWhatItsConsoleSaid) {
  const absl::Status status = TryConnect({absl::Now() + absl::Milliseconds(50)}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pod-1"));
  EXPECT_THAT(std::string(status.message()), ::testing::EndsWith("boot[1m line\nKernel panic"));
}

TEST_F(NativeAgentTest, AGuestThatHangsUpIsUnavailable) {
  peer_->Hangup();
  const absl::Status status = TryConnect(context_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Kernel panic"));
}

TEST_F(NativeAgentTest, WaitingForAGuestEndsWhenCancelled) {
  Cancellation cancellation;
  std::thread guest([&] {
    EXPECT_TRUE(peer_->Receive().has_value());
    cancellation.Cancel(absl::AbortedError("preempted"));
  });
  EXPECT_EQ(TryConnect({context_.deadline, &cancellation}).status(), absl::AbortedError("preempted"));
  guest.join();
  EXPECT_FALSE(peer_->Receive().has_value()) << "the stream is closed";
}

TEST_F(NativeAgentTest, RefusesAnotherProtocolVersion) {
  std::thread guest([&] {
    agent::v1::GuestMessage answer = HelloAnswer(peer_->Receive()->hello(), {});
    answer.mutable_hello_ack()->set_protocol_version(2);
    peer_->Send(answer);
  });
  const absl::Status status = TryConnect(context_).status();
  guest.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("protocol version 2"));
}

TEST_F(NativeAgentTest, RefusesATableThatCannotBe) {
  std::thread guest([&] { peer_->AnswerHello({RunningProcess("c1"), RunningProcess("c1")}); });
  const absl::Status status = TryConnect(context_).status();
  guest.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("twice"));
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

// What a guest must not say. It knows of container c1, of which 3 bytes of output have come.
struct Crime {
  std::string name;
  std::function<std::string()> bytes;
};

void PrintTo(const Crime& crime, std::ostream* out) { *out << crime.name; }

std::string Frame(const agent::v1::GuestMessage& message) { return EncodeFrame(message.SerializeAsString()); }

class HostileGuestTest : public NativeAgentTest, public ::testing::WithParamInterface<Crime> {};

TEST_P(HostileGuestTest, LosesItsSession) {
  Connect();
  session_->Observe();
  peer_->Send(OutputOf("c1", 0, "abc"));
  const Completion<std::string> write = Write(std::string(2 * kInputWindow, 'x'));
  std::thread guest([&] {
    // The request of below.
    while (std::optional<agent::v1::HostMessage> message = peer_->Receive()) {
      if (message->has_start_container()) break;
    }
    peer_->SendBytes(GetParam().bytes());
  });
  const absl::Status status = session_->StartContainer("c1", context_);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("broke the agent protocol"));
  EXPECT_EQ(*observer_.WaitForLoss(), status);
  EXPECT_NE(*write.Wait(context_, "write"), "OK");
  guest.join();
  EXPECT_EQ(observer_.complaints(), "");
}

const Crime kCrimes[] = {
    {"AnswersNoRequest",
     [] {
       agent::v1::GuestMessage message;
       message.set_request_id(4711);
       message.mutable_reply();
       return Frame(message);
     }},
    {"AnswersNoHello", [] { return Frame(HelloAnswer(agent::v1::Hello(), {})); }},
    {"SaysNothing", [] { return EncodeFrame("\x08\x01"); }},
    {"TalksGibberish", [] { return EncodeFrame("\xff\xff\xff"); }},
    {"AnswersWithABomb",
     [] {
       agent::v1::GuestMessage message;
       for (int i = 0; i < 100'000; ++i) message.mutable_reply()->mutable_process_list()->add_processes();
       return Frame(message);
     }},
    {"SendsADamagedFrame",
     [] {
       std::string frame = Frame(OutputOf("c1", 3, "abc"));
       frame[4] ^= 1;
       return frame;
     }},
    {"SendsAnEndlessFrame", [] { return std::string(2 * kMaxFrameBytes, 'x') + kFrameDelimiter; }},
    {"LeavesAGap", [] { return Frame(OutputOf("c1", 4, "abc")); }},
    {"LeavesAHugeGap", [] { return Frame(OutputOf("c1", std::numeric_limits<uint64_t>::max(), "abc")); }},
    {"OverrunsTheWindow", [] { return Frame(OutputOf("c1", 3, std::string(kOutputWindow, 'x'))); }},
    {"InventsAStream",
     [] {
       agent::v1::GuestMessage message = OutputOf("c1", 3, "abc");
       message.mutable_output()->set_stream(static_cast<agent::v1::Stream>(17));
       return Frame(message);
     }},
    {"EndsAStreamTooEarly", [] { return Frame(ExitOf("c1", 0, 2)); }},
    {"WritesAfterTheEnd", [] { return Frame(ExitOf("c1", 0, 4)) + Frame(OutputOf("c1", 3, "abc")); }},
    {"EndsInAnImpossibleWay", [] { return Frame(ExitOf("c1", -1, 3)); }},
    {"TakesInputThatWasNotSent", [] { return Frame(InputAckOf("c1", 4 * kInputWindow)); }},
};

INSTANTIATE_TEST_SUITE_P(Crimes, HostileGuestTest, ::testing::ValuesIn(kCrimes),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace vcd
