// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_TESTING_NATIVE_AGENT_FIXTURE_H_
#define VCD_BACKENDS_AGENT_NATIVE_TESTING_NATIVE_AGENT_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backends/agent/native/native_agent.h"
#include "core/agent/testing/recording_observer.h"
#include "core/agent/testing/scripted_guest.h"
#include "core/agent/testing/socket_machine.h"
#include "core/os/completion.h"
#include "gtest/gtest.h"

namespace vcd {

inline const ProcessKey kFirst{"c1", ""};

inline agent::v1::Process RunningProcess(const std::string& container_id) {
  agent::v1::Process process;
  process.set_container_id(container_id);
  process.set_pid(101);
  process.set_started(true);
  return process;
}

inline agent::v1::GuestMessage OutputOf(const std::string& container_id, uint64_t offset, const std::string& data) {
  agent::v1::GuestMessage message;
  message.mutable_output()->set_container_id(container_id);
  message.mutable_output()->set_stream(agent::v1::STREAM_STDOUT);
  message.mutable_output()->set_offset(offset);
  message.mutable_output()->set_data(data);
  return message;
}

inline agent::v1::GuestMessage ExitOf(const std::string& container_id, int code, uint64_t stdout_end) {
  agent::v1::GuestMessage message;
  message.mutable_exit()->set_container_id(container_id);
  message.mutable_exit()->mutable_exit()->set_code(code);
  message.mutable_exit()->mutable_exit()->set_stdout_end(stdout_end);
  return message;
}

inline agent::v1::GuestMessage InputAckOf(const std::string& container_id, uint64_t offset) {
  agent::v1::GuestMessage message;
  message.mutable_input_ack()->set_container_id(container_id);
  message.mutable_input_ack()->set_offset(offset);
  return message;
}

// A native agent, and the other end of its link in the test's hands.
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

  const CallContext context_{absl::Now() + absl::Minutes(2)};
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

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_TESTING_NATIVE_AGENT_FIXTURE_H_
