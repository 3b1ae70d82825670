// SPDX-License-Identifier: Apache-2.0
#include "client/daemon/address.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "client/posix/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(SocketPathTest, TakesTheUsualForms) {
  EXPECT_EQ(SocketPath("unix:///run/vcd/vcd.sock").value(), "/run/vcd/vcd.sock");
  EXPECT_EQ(SocketPath("unix:/run/vcd.sock").value(), "/run/vcd.sock");
  EXPECT_EQ(SocketPath("unix:here.sock").value(), "here.sock");
  EXPECT_EQ(SocketPath("/run/vcd.sock").value(), "/run/vcd.sock");
  EXPECT_EQ(SocketPath("./vcd.sock").value(), "./vcd.sock");
}

TEST(SocketPathTest, RefusesWhatIsNoSocket) {
  for (const std::string address : {"", "tcp://host:1", "localhost:50051", "unix:", "unix://relative"}) {
    const auto path = SocketPath(address);
    EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(Message(path.status()), HasSubstr("\"" + address + "\""));
  }
  EXPECT_THAT(Message(SocketPath("/" + std::string(108, 'a')).status()), HasSubstr("at most 107 bytes, this one 109"));
}

class ProbeSocketTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_), nullptr); }
  void TearDown() override {
    ::unlink(path().c_str());
    ::rmdir(directory_);
  }
  std::string path() const { return std::string(directory_) + "/s"; }

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
  EXPECT_TRUE(ProbeSocket(path()).ok());
}

TEST_F(ProbeSocketTest, SaysThatThereIsNoSocket) {
  const absl::Status status = ProbeSocket(path());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(status), HasSubstr(path() + ": No such file or directory; start vcd"));
}

TEST_F(ProbeSocketTest, SaysThatNothingListens) {
  UniqueFd fd = Bind();
  EXPECT_THAT(Message(ProbeSocket(path())), HasSubstr(path() + ": Connection refused, nothing listens there"));
}

TEST_F(ProbeSocketTest, SaysWhichGroupIsMissing) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may enter everything";
  UniqueFd fd = Bind();
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  ASSERT_EQ(::chmod(path().c_str(), 0), 0);
  EXPECT_THAT(Message(ProbeSocket(path())), HasSubstr("Permission denied; join the group vcd"));
}

}  // namespace
}  // namespace vcd::client
