// SPDX-License-Identifier: Apache-2.0
// Connections over the loopback interface, by a process of their own as in the agent.
#include "guest/agent/dial_command.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "core/link/link_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::vcd::agent::v1::Command;

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

class DialCommandTest : public ::testing::Test {
 protected:
  DialCommandTest() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    dial_.set_port(ntohs(address.sin_port));
  }

  // Connects, and runs the connection in a process whose standard streams are `in_`, `out_` and `err_`.
  void Begin() {
    OutcomeOr<UniqueFd> connection = Connect(dial_);
    ASSERT_TRUE(connection.ok()) << connection.outcome().message();
    peer_.Reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    int in[2], out[2], err[2];
    ASSERT_EQ(::pipe2(in, O_CLOEXEC) + ::pipe2(out, O_CLOEXEC) + ::pipe2(err, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(err[1], STDERR_FILENO);
      for (const int fd : {in[0], in[1], out[0], out[1], err[0], err[1], peer_.get()}) ::close(fd);
      RunConnection(*connection);
    }
    for (const int fd : {in[0], out[1], err[1]}) ::close(fd);
    in_.Reset(in[1]);
    out_.Reset(out[0]);
    err_.Reset(err[0]);
  }
  int ExitCode() {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  UniqueFd listener_;
  Command::Dial dial_;
  UniqueFd peer_, in_, out_, err_;
  pid_t pid_ = -1;
};

TEST_F(DialCommandTest, ItsInputMayEndFirst) {
  Begin();
  WriteAll(in_.get(), "question");
  in_.Reset();
  EXPECT_EQ(ReadAll(peer_.get()), "question") << "and the end of it";
  WriteAll(peer_.get(), "answer");
  peer_.Reset();
  EXPECT_EQ(ReadAll(out_.get()), "answer");
  EXPECT_EQ(ReadAll(err_.get()), kDialPeerEnded + std::string("6\n"));
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(DialCommandTest, ThePeerMayEndFirst) {
  Begin();
  WriteAll(peer_.get(), "hello");
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  EXPECT_EQ(ReadAll(out_.get()), "hello") << "and the end of it";
  char told[64] = {};
  ASSERT_GT(::read(err_.get(), told, sizeof(told) - 1), 0);
  EXPECT_EQ(std::string(told), kDialPeerEnded + std::string("5\n")) << "while the other way is open";
  WriteAll(in_.get(), "bye");
  in_.Reset();
  EXPECT_EQ(ReadAll(peer_.get()), "bye");
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(DialCommandTest, MovesMuchBothWaysAtOnce) {
  Begin();
  const std::string much(std::size_t{8} << 20, 'x');
  std::thread up([&] {
    WriteAll(in_.get(), much);
    in_.Reset();
  });
  std::thread down([&] {
    WriteAll(peer_.get(), much);
    ::shutdown(peer_.get(), SHUT_WR);
  });
  std::string came_up;
  std::thread read_up([&] { came_up = ReadAll(peer_.get()); });
  EXPECT_EQ(ReadAll(out_.get()).size(), much.size());
  for (std::thread* thread : {&up, &down, &read_up}) thread->join();
  EXPECT_EQ(came_up.size(), much.size());
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(DialCommandTest, DeliversWhatAPeerSaidThatBreaksOff) {
  Begin();
  WriteAll(peer_.get(), "no");
  EXPECT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  EXPECT_EQ(ReadAll(out_.get()), "no");
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(peer_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
  peer_.Reset();
  EXPECT_THAT(ReadAll(err_.get()), HasSubstr("the connection broke: "));
  EXPECT_EQ(ExitCode(), kDialBroken);
}

TEST_F(DialCommandTest, SaysWhyThereIsNoConnection) {
  listener_.Reset();
  const Outcome refused = Connect(dial_).outcome();
  EXPECT_EQ(refused.code(), ErrorCode::ERROR_CODE_CONNECTION_REFUSED);
  EXPECT_THAT(refused.message(), StartsWith("connect to 127.0.0.1 port "));
  EXPECT_THAT(refused.message(), HasSubstr("Connection refused"));
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
