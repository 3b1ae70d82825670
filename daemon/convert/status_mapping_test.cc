// SPDX-License-Identifier: Apache-2.0
#include "daemon/convert/status_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/status/error_detail.h"
#include "daemon/convert/safe_text.h"
#include "third_party/google/rpc/error.pb.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Pair;

google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status rich;
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(rich.ParseFromString(status.error_details()));
  EXPECT_EQ(rich.code(), status.error_code());
  EXPECT_EQ(rich.message(), status.error_message());
  EXPECT_TRUE(rich.details_size() == 1 && rich.details(0).UnpackTo(&info));
  return info;
}

TEST(StatusMappingTest, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(StatusMappingTest, EveryCanonicalCodeKeepsItsNumber) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status status = ToGrpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "why"));
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
    EXPECT_EQ(status.error_message(), "why");
    EXPECT_EQ(InfoOf(status).domain(), "vcd") << "clients know by it who has said so";
    EXPECT_EQ(InfoOf(status).reason(), "UNSPECIFIED");
  }
}

TEST(StatusMappingTest, DetailBecomesErrorInfo) {
  const grpc::Status status =
      ToGrpcStatus(WithDetail(absl::NotFoundError("no pod `a`"), {v1::ERROR_REASON_POD_NOT_FOUND, {{"pod_id", "a"}}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  const google::rpc::ErrorInfo info = InfoOf(status);
  EXPECT_EQ(info.domain(), "vcd");
  EXPECT_EQ(info.reason(), "POD_NOT_FOUND");
  EXPECT_THAT(info.metadata(), ElementsAre(Pair("pod_id", "a")));
}

TEST(StatusMappingTest, BytesThatAreNoTextAreReplaced) {
  const grpc::Status status = ToGrpcStatus(
      WithDetail(absl::UnavailableError("guest said \xFF\xFE"), {v1::ERROR_REASON_VM_EXITED, {{"x", "\xC0"}}}));
  EXPECT_THAT(status.error_message(), HasSubstr("guest said \xEF\xBF\xBD"));
  EXPECT_EQ(InfoOf(status).metadata().at("x"), "\xEF\xBF\xBD");
}

TEST(StatusMappingTest, TrailersStayBelowWhatClientsAccept) {
  ErrorDetail detail{v1::ERROR_REASON_VM_BOOT_FAILED, {}};
  for (int i = 0; i < 50; ++i) detail.metadata["key" + std::to_string(i)] = std::string(1000, '\n');
  const grpc::Status status = ToGrpcStatus(WithDetail(absl::InternalError(std::string(100000, '\xFF')), detail));
  const size_t base64 = (status.error_details().size() + 2) / 3 * 4;
  EXPECT_THAT(PercentEncodedSize(status.error_message()) + base64, Le(7900u));
  EXPECT_EQ(InfoOf(status).reason(), "VM_BOOT_FAILED");
}

}  // namespace
}  // namespace vcd
