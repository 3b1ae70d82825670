// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "client/posix/unique_fd.h"
#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

std::string ReadAll(int fd) {
  std::string all;
  char chunk[4096];
  for (ssize_t got; (got = ::read(fd, chunk, sizeof(chunk))) > 0;) all.append(chunk, static_cast<size_t>(got));
  return all;
}

class PortForwardCommandTest : public ::testing::Test {
 protected:
  PortForwardCommandTest() {
    v1::Pod pod;
    pod.set_id("web");
    pod.set_state(v1::POD_STATE_RUNNING);
    server_.AddPod(pod);
  }

  // Runs it to `port`, and does `use` with the port that it listens at.
  RunResult Forward(const std::string& port, const std::function<void(uint16_t)>& use) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd out(ends[0]);
    RunOptions options;
    options.signals = &signals_;
    options.stdout_fd = ends[1];
    RunResult result;
    std::thread vc([&] { result = RunVc(server_, {"port-forward", "web", port}, options); });
    char line[256] = {};
    EXPECT_GT(::read(out.get(), line, sizeof(line) - 1), 0);
    ::close(ends[1]);
    const std::string words = line;
    EXPECT_THAT(words, HasSubstr("Forwarding from 127.0.0.1:"));
    EXPECT_THAT(words, HasSubstr(" -> " + port.substr(1)));
    use(static_cast<uint16_t>(std::atoi(words.c_str() + words.find(':') + 1)));
    signals_.Send(SIGINT);
    vc.join();
    return result;
  }

  static UniqueFd Connect(uint16_t port) {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return socket;
  }

  FakeServer server_;
  FakeSignals signals_;
};

TEST_F(PortForwardCommandTest, ConnectionsGoBothWaysBesideEachOther) {
  const RunResult result = Forward(":80", [](uint16_t port) {
    const UniqueFd first = Connect(port);
    const UniqueFd second = Connect(port);
    ASSERT_EQ(::write(second.get(), "second", 6), 6);
    ASSERT_EQ(::write(first.get(), "first", 5), 5);
    ::shutdown(second.get(), SHUT_WR);
    EXPECT_EQ(ReadAll(second.get()), "second");
    ::shutdown(first.get(), SHUT_WR);
    EXPECT_EQ(ReadAll(first.get()), "first");
  });
  EXPECT_EQ(result.exit_status, 128 + SIGINT);
  EXPECT_EQ(result.err, "");
}

TEST_F(PortForwardCommandTest, RefusedPortIsToldAndTheOthersGoOn) {
  const RunResult result = Forward(":81", [](uint16_t port) {
    EXPECT_EQ(ReadAll(Connect(port).get()), "");
    EXPECT_EQ(ReadAll(Connect(port).get()), "");
  });
  EXPECT_EQ(result.exit_status, 128 + SIGINT);
}

TEST_F(PortForwardCommandTest, DoesNotListenForAPodThatDoesNotRun) {
  server_.AddPod(PodOf("old", v1::POD_STATE_STOPPED));
  server_.AddPod(PodOf("still", v1::POD_STATE_PAUSED));
  RunResult result = RunVc(server_, {"port-forward", "old", ":80"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("the pod is stopped, and has no ports; \"vc start old\" first"));
  result = RunVc(server_, {"port-forward", "still", ":80"});
  EXPECT_THAT(result.err, HasSubstr("the pod is paused, and has no ports; \"vc resume still\" first"));
}

TEST_F(PortForwardCommandTest, SaysWhatIsWrong) {
  EXPECT_EQ(RunVc(server_, {"port-forward", "none", ":80"}).exit_status, 1);
  EXPECT_EQ(RunVc(server_, {"port-forward", "web"}).exit_status, 2);
  RunResult result = RunVc(server_, {"port-forward", "web", "http"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, HasSubstr("names no ports"));
  result = RunVc(server_, {"port-forward", "--listen", "localhost", "web", ":80"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, HasSubstr("is no address"));
}

}  // namespace
}  // namespace vcd::client
