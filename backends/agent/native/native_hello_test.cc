// SPDX-License-Identifier: Apache-2.0
// How a connection begins: HELLO, its answer, and guests that do not answer as they should.
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backends/agent/native/testing/native_agent_fixture.h"
#include "core/link/frame_codec.h"
#include "core/link/link_limits.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

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

TEST_F(NativeAgentTest, ASilentGuestFailsWithWhatItsConsoleSaid) {
  const absl::Status status = TryConnect({absl::Now() + absl::Milliseconds(50)}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pod-1"));
  EXPECT_THAT(std::string(status.message()), ::testing::EndsWith("boot[1m line\nKernel panic"));
}

TEST_F(NativeAgentTest, AGuestThatStaysSilentIsConnectedToAnew) {
  // All but the first are answered, as soon as this machine gets to it.
  std::vector<std::unique_ptr<GuestPeer>> peers;
  std::vector<std::thread> guests;
  SocketMachine machine([&]() -> absl::StatusOr<UniqueFd> {
    auto ends = SocketPair();
    GuestPeer* const peer = peers.emplace_back(std::make_unique<GuestPeer>(std::move(ends->second))).get();
    if (peers.size() > 1) guests.emplace_back([peer] { peer->AnswerHello({RunningProcess("c1")}); });
    return std::move(ends->first);
  });
  NativeAgent agent(io_, {.hello_freshness = absl::InfiniteDuration(), .hello_patience = absl::Seconds(1)});
  auto session = agent.Connect({"pod-1", "host-1"}, machine, observer_, context_);
  for (std::thread& guest : guests) guest.join();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->info().processes.size(), 1u);
  EXPECT_GT(peers.size(), 1u);
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

}  // namespace
}  // namespace vcd
