// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qmp_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"
#include "core/os/mutex.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }
CallContext AtOnce() { return {absl::Now() + absl::Milliseconds(30), nullptr}; }

class QmpClientTest : public testing::Test {
 protected:
  std::unique_ptr<QmpClient> Connected(ScriptedQmpPeer& peer, QmpClient::Handlers handlers = {}) {
    auto client = QmpClient::Connect(io_, peer.TakeClientSocket(), "ctl", std::move(handlers), Soon());
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  IoThread io_;
};

TEST_F(QmpClientTest, NegotiatesBeforeAnythingElse) {
  ScriptedQmpPeer peer;
  auto client = Connected(peer);
  EXPECT_TRUE(client->Execute("cont", nullptr, Soon()).ok());
  EXPECT_THAT(peer.commands(), ElementsAre("qmp_capabilities", "cont"));
}

TEST_F(QmpClientTest, ReturnsResults) {
  ScriptedQmpPeer peer;
  auto client = Connected(peer);
  peer.Return("query-status", {{"status", "running"}});
  auto status = client->Execute("query-status", nullptr, Soon());
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ((*status)["status"], "running");
}

TEST_F(QmpClientTest, PassesQemusOwnWordsOn) {
  ScriptedQmpPeer peer;
  auto client = Connected(peer);
  peer.Fail("device_add", "GenericError", "Bus 'rp9' not found");
  absl::Status refused = client->Execute("device_add", {{"id", "x"}}, Soon()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("device_add"), HasSubstr("Bus 'rp9' not found")));

  peer.Fail("device_del", "DeviceNotFound", "Device 'x' not found");
  EXPECT_EQ(client->Execute("device_del", {{"id", "x"}}, Soon()).status().code(), absl::StatusCode::kNotFound);
  peer.Fail("fly", "CommandNotFound", "The command fly has not been found");
  EXPECT_EQ(client->Execute("fly", nullptr, Soon()).status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(QmpClientTest, DeliversEventsThatComeBetweenACommandAndItsReply) {
  Mutex mu;
  std::vector<std::string> seen;
  ScriptedQmpPeer peer;
  auto client = Connected(peer, {[&](const QmpEvent& event) {
                                   MutexLock lock(&mu);
                                   seen.push_back(event.name);
                                 },
                                 nullptr});
  peer.AnswerWith("stop", {R"({"event": "STOP"})", R"({"return": {}, "id": $ID})"});
  EXPECT_TRUE(client->Execute("stop", nullptr, Soon()).ok());
  MutexLock lock(&mu);
  EXPECT_THAT(seen, ElementsAre("STOP"));
}

TEST_F(QmpClientTest, WaitsForTheEventOfOneDevice) {
  ScriptedQmpPeer peer;
  auto client = Connected(peer);
  auto deleted = client->Expect("DEVICE_DELETED", "device", "b");
  peer.AnswerWith("device_del", {R"({"return": {}, "id": $ID})",
                                 R"({"event": "DEVICE_DELETED", "data": {"path": "/machine/peripheral/b/virtio"}})",
                                 R"({"event": "DEVICE_DELETED", "data": {"device": "a"}})"});
  ASSERT_TRUE(client->Execute("device_del", {{"id", "b"}}, Soon()).ok());
  EXPECT_EQ(deleted.Wait(AtOnce()).status().code(), absl::StatusCode::kDeadlineExceeded);
  peer.Emit(R"({"event": "DEVICE_DELETED", "data": {"device": "b"}})");
  EXPECT_TRUE(deleted.Wait(Soon()).ok());
}

TEST_F(QmpClientTest, SilentPeerHitsTheDeadlineAndItsLateReplyIsForgotten) {
  ScriptedQmpPeer peer;
  auto client = Connected(peer);
  peer.StaySilent("cont");
  EXPECT_EQ(client->Execute("cont", nullptr, AtOnce()).status().code(), absl::StatusCode::kDeadlineExceeded);
  peer.Emit(R"({"return": {"late": true}, "id": 2})");
  auto next = client->Execute("stop", nullptr, Soon());
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_TRUE(next->empty());
}

TEST_F(QmpClientTest, CancellationEndsAWaitingCommand) {
  ScriptedQmpPeer peer;
  auto client = Connected(peer);
  peer.StaySilent("cont");
  Cancellation cancellation;
  std::thread canceller([&] {
    EXPECT_TRUE(peer.WaitFor("cont"));
    cancellation.Cancel(absl::AbortedError("preempted"));
  });
  absl::Status status = client->Execute("cont", nullptr, {absl::InfiniteFuture(), &cancellation}).status();
  canceller.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
}

TEST_F(QmpClientTest, FailsPendingAndLaterCommandsWhenTheSocketCloses) {
  Completion<bool> closed;
  ScriptedQmpPeer peer;
  auto client = Connected(peer, {nullptr, [&](const absl::Status& why) {
                                   EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable);
                                   closed.Set(true);
                                 }});
  auto deleted = client->Expect("DEVICE_DELETED", "device", "b");
  peer.HangUpOn("cont");
  absl::Status pending = client->Execute("cont", nullptr, Soon()).status();
  EXPECT_EQ(pending.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(pending.message()), HasSubstr("ctl"));
  EXPECT_TRUE(closed.Wait(Soon(), "closed").ok());
  EXPECT_EQ(client->Execute("stop", nullptr, Soon()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(deleted.Wait(Soon()).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(QmpClientTest, PassesDescriptors) {
  ScriptedQmpPeer peer;
  auto client = Connected(peer);
  EXPECT_TRUE(client->ExecuteWithFd("getfd", {{"fdname", "x"}}, STDIN_FILENO, Soon()).ok());
  EXPECT_EQ(peer.received_fds(), 1);
  EXPECT_EQ(peer.arguments("getfd")["fdname"], "x");
}

TEST_F(QmpClientTest, ConnectFailsOnAPeerThatIsSilentOrSpeaksSomethingElse) {
  ScriptedQmpPeer silent(ScriptedQmpPeer::Options{false});
  EXPECT_EQ(QmpClient::Connect(io_, silent.TakeClientSocket(), "ctl", {}, AtOnce()).status().code(),
            absl::StatusCode::kDeadlineExceeded);

  ScriptedQmpPeer other(ScriptedQmpPeer::Options{false});
  other.Emit("220 mail.example ESMTP");
  absl::Status status = QmpClient::Connect(io_, other.TakeClientSocket(), "ctl", {}, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("220 mail.example"));

  ScriptedQmpPeer gone(ScriptedQmpPeer::Options{false});
  gone.HangUp();
  EXPECT_EQ(QmpClient::Connect(io_, gone.TakeClientSocket(), "ctl", {}, Soon()).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(QmpClientTest, NoHandlerRunsAfterDestruction) {
  for (int round = 0; round < 20; ++round) {
    ScriptedQmpPeer peer;
    auto alive = std::make_unique<int>(1);
    auto client = Connected(peer, {[&](const QmpEvent&) { ++*alive; }, [&](const absl::Status&) { ++*alive; }});
    peer.Emit(R"({"event": "RESUME"})");
    client.reset();
    alive.reset();
    peer.Emit(R"({"event": "STOP"})");
  }
}

TEST_F(QmpClientTest, ManyThreadsMayCall) {
  ScriptedQmpPeer peer;
  auto client = Connected(peer);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 50; ++call) EXPECT_TRUE(client->Execute("query-status", nullptr, Soon()).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(peer.commands().size(), 201u);
}

}  // namespace
}  // namespace vcd
