// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/listen_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddressTest, UnixSocket) {
  const auto address = ParseListenAddress("unix:///run/vcd/vcd.sock");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_TRUE(address->is_unix());
  EXPECT_EQ(address->Target(), "unix:/run/vcd/vcd.sock");
  EXPECT_EQ(address->Url(), "unix:///run/vcd/vcd.sock");
}

TEST(ListenAddressTest, LoopbackTcp) {
  for (const char* host : {"127.0.0.1", "[::1]", "localhost"}) {
    const auto address = ParseListenAddress(std::string("tcp://") + host + ":50051");
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_FALSE(address->is_unix());
    EXPECT_EQ(address->port, 50051);
  }
}

TEST(ListenAddressTest, OtherHostsNeedTls) {
  for (const char* url : {"tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://example.org:443", "tcp://:7"}) {
    const auto address = ParseListenAddress(url);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kUnimplemented) << url;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("mutual TLS"));
  }
}

TEST(ListenAddressTest, AnythingElseIsInvalid) {
  for (const char* url : {"", "/run/vcd.sock", "unix://", "unix://rel/path", "unix:///dir/", "tcp://127.0.0.1",
                          "tcp://127.0.0.1:70000", "tcp://127.0.0.1:x", "http://127.0.0.1:1"}) {
    EXPECT_EQ(ParseListenAddress(url).status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
}

TEST(ListenAddressTest, PathThatTheKernelCannotTakeIsNamed) {
  const std::string path = "/" + std::string(107, 'x');
  const auto address = ParseListenAddress("unix://" + path);
  EXPECT_THAT(std::string(address.status().message()), HasSubstr("108 bytes"));
  EXPECT_TRUE(ParseListenAddress("unix://" + path.substr(0, 107)).ok());
}

}  // namespace
}  // namespace vcd
