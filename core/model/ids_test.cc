// SPDX-License-Identifier: Apache-2.0
#include "core/model/ids.h"

#include <set>

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(IdsTest, TakesWhatTheGrammarTakes) {
  for (const std::string& id : {std::string("a"), std::string("0"), std::string("A.b-c_9"), std::string(64, 'x')}) {
    EXPECT_TRUE(IsValidId(id)) << id;
    EXPECT_TRUE(ValidateId("id", id).ok()) << id;
  }
}

TEST(IdsTest, RefusesWhatCouldLeaveItsDirectoryOrHide) {
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string("../x"), std::string("a/b"), std::string("-a"),
        std::string("_a"), std::string("a b"), std::string("a\n"), std::string("a\0b", 3), std::string("\xc3\xa4"),
        std::string(65, 'x')}) {
    EXPECT_FALSE(IsValidId(id)) << id;
    const absl::Status status = ValidateId("config.id", id);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << id;
    EXPECT_EQ(DetailOf(status)->metadata.at("field"), "config.id");
    EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_INVALID_FIELD);
  }
}

TEST(IdsTest, MessagesCannotForgeLines) {
  EXPECT_THAT(std::string(ValidateId("id", "a\nb").message()), testing::HasSubstr("a\\nb"));
}

TEST(IdsTest, GeneratedIdsAreValidAndDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = GenerateId();
    EXPECT_EQ(id.size(), 12u);
    EXPECT_TRUE(IsValidId(id));
    EXPECT_GE(id.front(), 'a');
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

}  // namespace
}  // namespace vcd
