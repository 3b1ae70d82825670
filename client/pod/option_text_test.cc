// SPDX-License-Identifier: Apache-2.0
#include "client/pod/option_text.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

TEST(OptionTextTest, ReadsBytes) {
  EXPECT_EQ(*Bytes("-x", "1"), 1u);
  EXPECT_EQ(*Bytes("-x", "64k"), 64u << 10);
  EXPECT_EQ(*Bytes("-x", "3M"), 3u << 20);
  EXPECT_EQ(*Bytes("-x", "2g"), uint64_t{2} << 30);
  EXPECT_EQ(*Bytes("-x", "17179869183g"), uint64_t{17179869183} << 30);
  for (const char* wrong : {"", "k", "0", "-1", "1t", "1.5m", "17179869184g", "99999999999999999999", " 1"}) {
    const auto bytes = Bytes("--shm-size", wrong);
    ASSERT_FALSE(bytes.ok()) << wrong;
    EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("--shm-size \"" + std::string(wrong) + "\""));
  }
}

TEST(OptionTextTest, ReadsLimits) {
  v1::Rlimit limit = *Ulimit("-x", "nofile=10:20");
  EXPECT_EQ(limit.type(), "RLIMIT_NOFILE");
  EXPECT_EQ(limit.soft(), 10u);
  EXPECT_EQ(limit.hard(), 20u);
  limit = *Ulimit("-x", "RLIMIT_CORE=0");
  EXPECT_EQ(limit.type(), "RLIMIT_CORE");
  EXPECT_EQ(limit.hard(), 0u);
  limit = *Ulimit("-x", "stack=1:unlimited");
  EXPECT_EQ(limit.hard(), ~uint64_t{0});
  EXPECT_EQ(Ulimit("-x", "nproc=-1")->soft(), ~uint64_t{0});
  for (const char* wrong : {"nofile", "=1", "nofile=", "nofile=1:", "nofile=a", "nofile=1:2:3"}) {
    EXPECT_THAT(std::string(Ulimit("--ulimit", wrong).status().message()), HasSubstr("TYPE=SOFT[:HARD]")) << wrong;
  }
  EXPECT_THAT(std::string(Ulimit("--ulimit", "files=1").status().message()), HasSubstr("no limit files"));
}

TEST(OptionTextTest, ReadsCapabilities) {
  EXPECT_EQ(*Capability("-x", "net_admin"), "CAP_NET_ADMIN");
  EXPECT_EQ(*Capability("-x", "CAP_CHOWN"), "CAP_CHOWN");
  EXPECT_THAT(std::string(Capability("--cap-add", "FLY").status().message()), HasSubstr("--cap-add \"FLY\""));
}

}  // namespace
}  // namespace vcd::client
