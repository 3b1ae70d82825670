// SPDX-License-Identifier: Apache-2.0
#include "client/forward/port_mapping.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

TEST(PortMappingTest, ReadsPorts) {
  struct Case {
    const char* text;
    int local, remote;
  };
  for (const Case& c : {Case{"80", 80, 80}, Case{"8080:80", 8080, 80}, Case{":80", 0, 80}, Case{"0:65535", 0, 65535}}) {
    const auto mapping = ParsePortMapping(c.text);
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    EXPECT_EQ(mapping->local, c.local) << c.text;
    EXPECT_EQ(mapping->remote, c.remote) << c.text;
  }
}

TEST(PortMappingTest, RefusesWhatIsNone) {
  for (const char* text : {"", ":", "80:", "0", "80:0", "65536", "65536:80", "-1", "http", "1:2:3", "127.0.0.1:80"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParsePortMapping(text).status())) << text;
  }
}

}  // namespace
}  // namespace vcd::client
