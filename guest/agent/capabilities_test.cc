// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/capabilities.h"

#include <linux/capability.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;
using Capabilities = ::vcd::agent::v1::Command::Capabilities;

TEST(CapabilitiesTest, DefaultIsTheUsualFourteen) {
  EXPECT_EQ(__builtin_popcountll(DefaultCapabilities().bounding), 14);
  EXPECT_EQ(DefaultCapabilities().bounding & (uint64_t{1} << CAP_SYS_ADMIN), 0u);
  EXPECT_EQ(DefaultCapabilities().ambient, 0u);
}

TEST(CapabilitiesTest, ReadsNamesWithAndWithoutPrefixInAnyCase) {
  Capabilities capabilities;
  capabilities.add_bounding("CAP_SYS_ADMIN");
  capabilities.add_effective("sys_admin");
  capabilities.add_permitted("cap_bpf");
  capabilities.add_ambient("ALL");
  auto sets = ParseCapabilities(capabilities);
  ASSERT_TRUE(sets.ok());
  EXPECT_EQ(sets->bounding, uint64_t{1} << CAP_SYS_ADMIN);
  EXPECT_EQ(sets->effective, uint64_t{1} << CAP_SYS_ADMIN);
  EXPECT_EQ(sets->permitted, uint64_t{1} << CAP_BPF);
  EXPECT_EQ(sets->ambient, (uint64_t{1} << (CAP_CHECKPOINT_RESTORE + 1)) - 1);
  EXPECT_EQ(sets->inheritable, 0u);
}

TEST(CapabilitiesTest, NamesTheUnknownOne) {
  Capabilities capabilities;
  capabilities.add_inheritable("CAP_FLY");
  const Outcome outcome = ParseCapabilities(capabilities).outcome();
  EXPECT_EQ(outcome.code(), ErrorCode::ERROR_CODE_INVALID);
  EXPECT_THAT(outcome.message(), HasSubstr("CAP_FLY"));
}

}  // namespace
}  // namespace vcd::guest
