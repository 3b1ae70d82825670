// SPDX-License-Identifier: Apache-2.0
// Connections over the loopback interface, by an agent that runs as a process of the test.
#include "guest/agent/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/link/link_limits.h"
#include "core/os/testing/sanitized.h"
#include "guest/agent/testing/agent_peer.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::vcd::agent::v1::Command;
using ::vcd::agent::v1::ExitInfo;
using ::vcd::agent::v1::HostMessage;
using ::vcd::agent::v1::Reply;

constexpr char kProgram[] = "guest/agent/vcd-agent-for-tests";

std::string ReadAll(int fd) {
  std::string all;
  char chunk[65536];
  for (ssize_t got; (got = ::read(fd, chunk, sizeof(chunk))) > 0;) all.append(chunk, static_cast<size_t>(got));
  return all;
}

void WriteAll(int fd, const std::string& data) {
  for (size_t done = 0; done < data.size();) {
    const ssize_t put = ::write(fd, data.data() + done, data.size() - done);
    ASSERT_GT(put, 0);
    done += static_cast<size_t>(put);
  }
}

// Bytes of memory that are the process's own.
size_t OwnMemory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("RssAnon:", 0) == 0) return static_cast<size_t>(std::atoll(line.c_str() + 8)) << 10;
  }
  return 0;
}

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    agent_.Hello();
  }

  static HostMessage DialTo(const std::string& id, uint32_t port, const std::string& address = "") {
    HostMessage request;
    request.mutable_exec()->set_process_id(id);
    Command& command = *request.mutable_exec()->mutable_command();
    command.set_interactive(true);
    command.mutable_dial()->set_port(port);
    command.mutable_dial()->set_address(address);
    return request;
  }
  // Connects; the peer's end.
  UniqueFd Connect(const std::string& id) {
    const Reply reply = agent_.Call(DialTo(id, port_));
    EXPECT_EQ(reply.code(), ErrorCode::ERROR_CODE_OK) << reply.message();
    EXPECT_GT(reply.pid(), 0);
    return UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  void Say(const std::string& id, uint64_t offset, const std::string& data, bool close) {
    HostMessage message;
    message.mutable_input()->set_process_id(id);
    message.mutable_input()->set_offset(offset);
    message.mutable_input()->set_data(data);
    message.mutable_input()->set_close(close);
    agent_.Post(message);
  }
  Reply Signal(const std::string& id) {
    HostMessage request;
    request.mutable_signal()->set_process_id(id);
    request.mutable_signal()->set_signal(SIGKILL);
    return agent_.Call(request);
  }
  Reply Remove(const std::string& id) {
    HostMessage request;
    request.mutable_remove_process()->set_process_id(id);
    return agent_.Call(request);
  }

  UniqueFd listener_;
  uint32_t port_ = 0;
  AgentPeer agent_{kProgram, {"--no-isolation"}};
};

TEST_F(ConnectionTest, ItsInputMayEndFirst) {
  const UniqueFd peer = Connect("d");
  Say("d", 0, "ques", false);
  Say("d", 4, "tion", true);
  EXPECT_EQ(ReadAll(peer.get()), "question") << "and the end of it";
  WriteAll(peer.get(), "answer");
  ::shutdown(peer.get(), SHUT_WR);
  const ExitInfo exit = agent_.WaitForExit("", "d");
  EXPECT_EQ(exit.code(), 0);
  EXPECT_EQ(exit.signal(), 0);
  EXPECT_EQ(agent_.Stdout("", "d"), "answer");
  EXPECT_EQ(agent_.Stderr("", "d"), kDialPeerEnded + std::string("6\n"));
  EXPECT_EQ(Remove("d").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(Remove("d").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
}

TEST_F(ConnectionTest, ThePeerMayEndFirst) {
  const UniqueFd peer = Connect("d");
  WriteAll(peer.get(), "hello");
  ASSERT_EQ(::shutdown(peer.get(), SHUT_WR), 0);
  while (agent_.Stderr("", "d").empty()) ASSERT_TRUE(agent_.ReadOne(30'000));
  EXPECT_EQ(agent_.Stderr("", "d"), kDialPeerEnded + std::string("5\n")) << "while the other way is open";
  EXPECT_EQ(Remove("d").code(), ErrorCode::ERROR_CODE_WRONG_STATE) << "it has not ended";
  Say("d", 0, "bye", false);
  agent_.WaitForInputAck(3, "", "d");
  Say("d", 3, "", true);
  EXPECT_EQ(ReadAll(peer.get()), "bye");
  EXPECT_EQ(agent_.WaitForExit("", "d").code(), 0);
  EXPECT_EQ(agent_.Stdout("", "d"), "hello");
}

TEST_F(ConnectionTest, MovesMuchBothWaysAtOnce) {
  const UniqueFd peer = Connect("d");
  const std::string much(std::size_t{8} << 20, 'x');
  std::thread down([&] {
    WriteAll(peer.get(), much);
    ::shutdown(peer.get(), SHUT_WR);
  });
  std::string came_up;
  std::thread up([&] { came_up = ReadAll(peer.get()); });
  for (size_t sent = 0; sent < much.size(); sent += kOutputChunk) {
    if (sent >= kDialWindow) agent_.WaitForInputAck(sent - kDialWindow + kOutputChunk, "", "d");
    Say("d", sent, much.substr(sent, kOutputChunk), sent + kOutputChunk == much.size());
  }
  EXPECT_EQ(agent_.WaitForExit("", "d").code(), 0);
  up.join();
  down.join();
  EXPECT_EQ(came_up.size(), much.size());
  EXPECT_EQ(agent_.Stdout("", "d").size(), much.size());
}

TEST_F(ConnectionTest, DeliversWhatAPeerSaidThatBreaksOff) {
  UniqueFd peer = Connect("d");
  WriteAll(peer.get(), "no");
  ASSERT_EQ(::shutdown(peer.get(), SHUT_WR), 0);
  while (agent_.Stderr("", "d").empty()) ASSERT_TRUE(agent_.ReadOne(30'000));
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
  peer.Reset();
  EXPECT_EQ(agent_.WaitForExit("", "d").code(), kDialBroken) << "nobody has written or read anything";
  EXPECT_EQ(agent_.Stdout("", "d"), "no");
  EXPECT_THAT(agent_.Stderr("", "d"), HasSubstr("the connection broke: "));
}

TEST_F(ConnectionTest, BreaksWhereThePeerResetsIt) {
  UniqueFd peer = Connect("d");
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
  peer.Reset();
  EXPECT_EQ(agent_.WaitForExit("", "d").code(), kDialBroken);
  EXPECT_EQ(agent_.Stderr("", "d"), "the connection broke: Connection reset by peer");
}

TEST_F(ConnectionTest, ASignalEndsIt) {
  const UniqueFd peer = Connect("d");
  EXPECT_EQ(Signal("d").code(), ErrorCode::ERROR_CODE_OK);
  const ExitInfo exit = agent_.WaitForExit("", "d");
  EXPECT_EQ(exit.signal(), SIGKILL);
  EXPECT_EQ(exit.code(), 128 + SIGKILL);
  EXPECT_EQ(ReadAll(peer.get()), "") << "and the end of it";
  EXPECT_EQ(Signal("d").code(), ErrorCode::ERROR_CODE_WRONG_STATE);
  EXPECT_EQ(Signal("other").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
}

TEST_F(ConnectionTest, SaysWhyThereIsNone) {
  listener_.Reset();
  const Reply refused = agent_.Call(DialTo("d", port_));
  EXPECT_EQ(refused.code(), ErrorCode::ERROR_CODE_CONNECTION_REFUSED);
  EXPECT_THAT(refused.message(), StartsWith("connect to 127.0.0.1 port "));
  EXPECT_THAT(refused.message(), HasSubstr("Connection refused"));
  // Its name is free.
  EXPECT_EQ(agent_.Call(DialTo("d", port_)).code(), ErrorCode::ERROR_CODE_CONNECTION_REFUSED);
}

TEST_F(ConnectionTest, OneThatTheHostGaveUpNeverStands) {
  // Nobody takes what is in a full queue of those who want to connect, so more of them wait for an answer.
  ASSERT_EQ(::listen(listener_.get(), 0), 0);
  std::vector<UniqueFd> crowd;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port_));
  for (int i = 0; i < 3; ++i) {
    crowd.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(crowd.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  agent_.Post(DialTo("d", port_));
  EXPECT_EQ(agent_.Call(DialTo("d", port_)).code(), ErrorCode::ERROR_CODE_EXISTS) << "the first waits";
  EXPECT_EQ(Signal("d").code(), ErrorCode::ERROR_CODE_NOT_FOUND) << "the host has none yet";
  listener_.Reset();
  EXPECT_EQ(agent_.Call(DialTo("d", port_)).code(), ErrorCode::ERROR_CODE_CONNECTION_REFUSED) << "the name is free";
}

TEST_F(ConnectionTest, AreAsManyAsTheMemoryAllowsAndCostLittle) {
  // A machine of the tests has memory for the most there may be.
  const size_t most = MostConnections(uint64_t{1} << 40);
  agent_.set_auto_ack(false);
  const size_t before = OwnMemory(agent_.pid());
  std::vector<UniqueFd> peers;
  for (size_t i = 0; i < most; ++i) peers.push_back(Connect("d" + std::to_string(i)));
  const Reply refused = agent_.Call(DialTo("more", port_));
  EXPECT_EQ(refused.code(), ErrorCode::ERROR_CODE_EXHAUSTED);
  EXPECT_THAT(refused.message(), StartsWith("the pod has 256 forwarded connections, as many as it may have with "));
  // Idle ones take next to nothing.
  if (!kSanitized) {
    EXPECT_LT(OwnMemory(agent_.pid()) - before, most * (8 << 10));
  }
  // All peers say all they can, and nobody takes it.
  for (const UniqueFd& peer : peers) {
    const std::string data(4 * kDialWindow, 'x');
    EXPECT_GE(::send(peer.get(), data.data(), data.size(), MSG_DONTWAIT), static_cast<ssize_t>(kDialWindow));
  }
  for (size_t i = 0; i < most; ++i) agent_.WaitForStdout(kDialWindow, "", "d" + std::to_string(i));
  HostMessage ping;
  ping.mutable_ping();
  ASSERT_EQ(agent_.Call(ping).code(), ErrorCode::ERROR_CODE_OK);
  for (size_t i = 0; i < most; ++i) EXPECT_EQ(agent_.Stdout("", "d" + std::to_string(i)).size(), kDialWindow) << i;
  if (!kSanitized) {
    EXPECT_LT(OwnMemory(agent_.pid()) - before, most * (kDialWindow + kDialWindow / 2));
  }
  // One that has gone makes room.
  ASSERT_EQ(Signal("d0").code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Remove("d0").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(agent_.Call(DialTo("more", port_)).code(), ErrorCode::ERROR_CODE_OK);
}

TEST(MostConnectionsTest, FollowsTheMemory) {
  EXPECT_EQ(MostConnections(0), 16u) << "some are always to be had";
  EXPECT_EQ(MostConnections(uint64_t{96} << 20), 192u) << "of 128 KiB each: a quarter";
  EXPECT_EQ(MostConnections(uint64_t{256} << 20), 256u);
  EXPECT_EQ(MostConnections(uint64_t{64} << 30), 256u);
}

TEST(CheckDialCommandTest, RefusesWhatCannotBeMeant) {
  Command good;
  good.mutable_dial()->set_port(80);
  EXPECT_TRUE(CheckDialCommand(good).ok());
  good.mutable_dial()->set_address("::1");
  EXPECT_TRUE(CheckDialCommand(good).ok());
  Command wrong = good;
  wrong.mutable_dial()->set_port(65536);
  EXPECT_EQ(CheckDialCommand(wrong).message(), "there is no port 65536");
  wrong = good;
  wrong.mutable_dial()->set_address("localhost");
  EXPECT_EQ(CheckDialCommand(wrong).message(), "\"localhost\" is no address");
  wrong = good;
  wrong.add_args("sh");
  EXPECT_EQ(CheckDialCommand(wrong).code(), ErrorCode::ERROR_CODE_INVALID);
  wrong = good;
  wrong.set_terminal(true);
  EXPECT_EQ(CheckDialCommand(wrong).code(), ErrorCode::ERROR_CODE_INVALID);
}

}  // namespace
}  // namespace vcd::guest
