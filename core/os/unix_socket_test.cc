// SPDX-License-Identifier: Apache-2.0
#include "core/os/unix_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace vcd {
namespace {

class UnixSocketTest : public testing::Test {
 protected:
  UnixSocketTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    directory_ = root_ + "/" + std::string(120, 'd');
    std::filesystem::create_directory(directory_);
  }
  ~UnixSocketTest() override { std::filesystem::remove_all(root_); }

  std::string root_;
  std::string directory_;  // Longer than a socket's address.
};

TEST_F(UnixSocketTest, ConnectsThroughALongPath) {
  auto listener = ListenUnix(directory_, "ctl", 1);
  ASSERT_TRUE(listener.ok()) << listener.status();
  struct stat info;
  ASSERT_EQ(stat((directory_ + "/ctl").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  auto client = ConnectUnix(directory_, "ctl");
  ASSERT_TRUE(client.ok()) << client.status();
  UniqueFd server(accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_EQ(send(server.get(), "x", 1, 0), 1);
  char got = 0;
  EXPECT_EQ(recv(client->get(), &got, 1, 0), 1);
  EXPECT_EQ(got, 'x');
}

TEST_F(UnixSocketTest, ReplacesWhatADeadProcessLeft) {
  ASSERT_TRUE(ListenUnix(directory_, "ctl", 1).ok());
  EXPECT_EQ(ConnectUnix(directory_, "ctl").status().code(), absl::StatusCode::kUnavailable);
  auto listener = ListenUnix(directory_, "ctl", 1);
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(ConnectUnix(directory_, "ctl").ok());
}

TEST_F(UnixSocketTest, SaysWhatIsMissing) {
  absl::Status status = ConnectUnix(directory_, "ctl").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(directory_ + "/ctl"));
  EXPECT_EQ(ListenUnix(root_ + "/none", "ctl", 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ListenUnix(root_, std::string(120, 'n'), 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UnixSocketTest, DoesNotWaitWhenTheBacklogIsFull) {
  auto listener = ListenUnix(directory_, "ctl", 0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  auto first = ConnectUnix(directory_, "ctl");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(ConnectUnix(directory_, "ctl").status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace vcd
