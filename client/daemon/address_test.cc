// SPDX-License-Identifier: Apache-2.0
#include "client/daemon/address.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>

#include "client/posix/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ParseAddressTest, TakesTheUsualFormsOfASocket) {
  EXPECT_EQ(ParseAddress("unix:///run/vcd/vcd.sock")->path, "/run/vcd/vcd.sock");
  EXPECT_EQ(ParseAddress("unix:/run/vcd.sock")->path, "/run/vcd.sock");
  EXPECT_EQ(ParseAddress("unix:here.sock")->path, "here.sock");
  EXPECT_EQ(ParseAddress("/run/vcd.sock")->Target(), "unix:/run/vcd.sock");
  EXPECT_EQ(ParseAddress("./vcd.sock")->Name(), "./vcd.sock");
}

TEST(ParseAddressTest, TakesPortsOfThisHost) {
  EXPECT_EQ(ParseAddress("tcp://127.0.0.1:50051")->Target(), "ipv4:127.0.0.1:50051");
  EXPECT_EQ(ParseAddress("tcp://localhost:1")->Name(), "tcp://127.0.0.1:1");
  EXPECT_EQ(ParseAddress("tcp://[::1]:65535")->Target(), "ipv6:[::1]:65535");
}

TEST(ParseAddressTest, RefusesWhatIsNone) {
  for (const std::string address :
       {"", "localhost:50051", "http://127.0.0.1:1", "unix:", "unix://relative", "tcp://127.0.0.1",
        "tcp://127.0.0.1:", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:x"}) {
    const auto parsed = ParseAddress(address);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(Message(parsed.status()), HasSubstr("\"" + address + "\""));
  }
  EXPECT_THAT(Message(ParseAddress("/" + std::string(108, 'a')).status()),
              HasSubstr("at most 107 bytes, this one 109"));
}

TEST(ParseAddressTest, OtherHostsNeedTls) {
  for (const char* address :
       {"tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://example.org:443", "tcp://127.0.0.2:1", "tcp://:7"}) {
    const auto parsed = ParseAddress(address);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kUnimplemented) << address;
    EXPECT_THAT(Message(parsed.status()), HasSubstr("mutual TLS"));
  }
}

// A socket on a free port of the loopback interface, and its address.
std::pair<UniqueFd, DaemonAddress> BindTcp() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in bound = {};
  bound.sin_family = AF_INET;
  bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof bound;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&bound), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
  DaemonAddress address;
  address.host = "127.0.0.1";
  address.port = ntohs(bound.sin_port);
  return {std::move(fd), address};
}

TEST(ProbeTcpTest, TellsAPortWithAListenerFromOneWithout) {
  const auto [fd, address] = BindTcp();
  EXPECT_THAT(
      Message(Probe(address)),
      HasSubstr(address.Name() + ": Connection refused, nothing listens there; start vcd, or name its address"));
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  EXPECT_TRUE(Probe(address).ok());
}

class ProbeSocketTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_), nullptr); }
  void TearDown() override {
    ::unlink(path().c_str());
    ::rmdir(directory_);
  }
  std::string path() const { return std::string(directory_) + "/s"; }
  DaemonAddress address() const {
    DaemonAddress address;
    address.path = path();
    return address;
  }

  UniqueFd Bind() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path().c_str());
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

 private:
  char directory_[32] = "/tmp/vcd-test-XXXXXX";
};

TEST_F(ProbeSocketTest, IsContentWithAListener) {
  UniqueFd fd = Bind();
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  EXPECT_TRUE(Probe(address()).ok());
}

TEST_F(ProbeSocketTest, SaysThatThereIsNoSocket) {
  const absl::Status status = Probe(address());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(status), HasSubstr(path() + ": No such file or directory; start vcd"));
}

TEST_F(ProbeSocketTest, SaysThatNothingListens) {
  UniqueFd fd = Bind();
  EXPECT_THAT(Message(Probe(address())), HasSubstr(path() + ": Connection refused, nothing listens there"));
}

TEST_F(ProbeSocketTest, SaysWhichGroupIsMissing) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may enter everything";
  UniqueFd fd = Bind();
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  ASSERT_EQ(::chmod(path().c_str(), 0), 0);
  EXPECT_THAT(Message(Probe(address())), HasSubstr("Permission denied; join the group vcd"));
}

}  // namespace
}  // namespace vcd::client
