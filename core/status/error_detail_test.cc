// SPDX-License-Identifier: Apache-2.0
#include "core/status/error_detail.h"

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(ErrorDetailTest, SurvivesAnnotation) {
  const absl::Status status = Annotate(InvalidField("config.id", "is empty"), "create pod");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "create pod: `config.id`: is empty");
  ASSERT_TRUE(DetailOf(status).has_value());
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_THAT(DetailOf(status)->metadata, testing::ElementsAre(testing::Pair("field", "config.id")));
}

TEST(ErrorDetailTest, MetadataIsAddedButNeverReplaced) {
  absl::Status status = WithMetadata(InvalidField("a", "b"), "pod_id", "p1");
  status = WithMetadata(status, "pod_id", "p2");
  EXPECT_EQ(DetailOf(status)->metadata.at("pod_id"), "p1");
}

TEST(ErrorDetailTest, EmptyValuesAreKept) {
  const absl::Status status = WithDetail(absl::NotFoundError("x"), {v1::ERROR_REASON_POD_NOT_FOUND, {{"pod_id", ""}}});
  EXPECT_THAT(DetailOf(status)->metadata, testing::ElementsAre(testing::Pair("pod_id", "")));
}

TEST(ErrorDetailTest, OkCarriesNothing) {
  EXPECT_TRUE(WithDetail(absl::OkStatus(), {v1::ERROR_REASON_STORAGE, {}}).ok());
  EXPECT_FALSE(DetailOf(absl::OkStatus()).has_value());
}

TEST(ErrorDetailTest, ErrnoKeepsTheStep) {
  const absl::Status status = PosixError(ENOENT, "open /nowhere");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("open /nowhere"));
}

}  // namespace
}  // namespace vcd
