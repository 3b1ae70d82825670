// SPDX-License-Identifier: Apache-2.0
#include "client/pod/network_options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

TEST(PortMappingTest, HasHostAddressPortsAndProtocol) {
  struct Case {
    const char* text;
    const char* host_ip;
    uint32_t host_port;
    uint32_t container_port;
    const char* protocol;
  };
  for (const Case& c : {Case{"8080:80", "", 8080, 80, ""}, Case{"53:5353/udp", "", 53, 5353, "udp"},
                        Case{"127.0.0.1:8080:80/tcp", "127.0.0.1", 8080, 80, "tcp"},
                        Case{"[::1]:1:65535/sctp", "::1", 1, 65535, "sctp"}}) {
    const absl::StatusOr<v1::PortMapping> mapping = ParsePortMapping("-p", c.text);
    ASSERT_TRUE(mapping.ok()) << c.text << ": " << mapping.status();
    EXPECT_EQ(mapping->host_ip(), c.host_ip) << c.text;
    EXPECT_EQ(mapping->host_port(), c.host_port) << c.text;
    EXPECT_EQ(mapping->container_port(), c.container_port) << c.text;
    EXPECT_EQ(mapping->protocol(), c.protocol) << c.text;
  }
}

TEST(PortMappingTest, RefusesWhatIsNone) {
  for (const char* text : {"", "80", ":80", "80:", "0:80", "80:0", "65536:80", "80:65536", "a:80", "80:80/icmp",
                           "80:80/", ":80:80", "::1:80:80", "[]:80:80", "-1:80", "80:+8x"}) {
    const absl::Status refused = ParsePortMapping("-p", text).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("-p \"")) << text;
  }
}

}  // namespace
}  // namespace vcd::client
