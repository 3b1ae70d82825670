// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/request_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/status/error_detail.h"

namespace vcd {
namespace {

TEST(RequestCheckTest, Ids) {
  for (const std::string& id : {std::string("a"), std::string("0"), std::string("A_b.c-1"), std::string(64, 'x')}) {
    EXPECT_TRUE(CheckId("pod_id", id).ok()) << id;
  }
  for (const std::string& id :
       {std::string(), std::string("../x"), std::string("a/b"), std::string("."), std::string("-a"), std::string("a b"),
        std::string("\xC3\xA9"), std::string("a\0b", 3), std::string(65, 'x')}) {
    const absl::Status status = CheckId("pod_id", id);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << id;
    EXPECT_EQ(DetailOf(status)->metadata["field"], "pod_id");
  }
  EXPECT_TRUE(CheckOptionalId("process_id", "").ok());
  EXPECT_FALSE(CheckOptionalId("process_id", "/").ok());
}

TEST(RequestCheckTest, Signals) {
  EXPECT_TRUE(CheckSignal(1).ok());
  EXPECT_TRUE(CheckSignal(64).ok());
  EXPECT_FALSE(CheckSignal(0).ok());
  EXPECT_FALSE(CheckSignal(65).ok());
  EXPECT_FALSE(CheckSignal(-9).ok());
}

}  // namespace
}  // namespace vcd
