// SPDX-License-Identifier: Apache-2.0
#include "core/asset/asset_digests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AssetDigestsTest : public testing::Test {
 protected:
  AssetDigestsTest() {
    config_.set_kernel_path(directory_.path() + "/vmlinux");
    Write("kernel");
    digest_ = *cache_.Sha512(config_.kernel_path(), CallContext());
    config_.mutable_sha512()->set_kernel(digest_);
  }

  void Write(const std::string& content) { std::ofstream(config_.kernel_path(), std::ios::trunc) << content; }
  std::string Verify() {
    const absl::Status status = VerifyAssets(config_, cache_, "do this", CallContext());
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(DetailOf(status)->metadata["field"], "hypervisor_config.sha512.kernel");
    return std::string(status.message());
  }

  TemporaryDirectory directory_;
  FileDigestCache cache_;
  v1::HypervisorConfig config_;
  std::string digest_;
};

TEST_F(AssetDigestsTest, TheRightFileIsGoodInEitherCase) {
  EXPECT_EQ(CheckAssetDigests(config_), absl::OkStatus());
  EXPECT_EQ(VerifyAssets(config_, cache_, "", CallContext()), absl::OkStatus());
  config_.mutable_sha512()->set_kernel(absl::AsciiStrToUpper(digest_));
  EXPECT_EQ(VerifyAssets(config_, cache_, "", CallContext()), absl::OkStatus());
}

TEST_F(AssetDigestsTest, AnotherFileIsNamedWithBothDigests) {
  Write("another");
  EXPECT_THAT(Verify(), AllOf(HasSubstr("`hypervisor_config.sha512.kernel`"), HasSubstr(config_.kernel_path()),
                              HasSubstr("expected was " + digest_),
                              HasSubstr(*cache_.Sha512(config_.kernel_path(), CallContext())), HasSubstr("; do this")));
}

TEST_F(AssetDigestsTest, WhoeverWaitsNoLongerIsNotToldOfAWrongFile) {
  Write("another");
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  EXPECT_TRUE(absl::IsAborted(VerifyAssets(config_, cache_, "", {absl::InfiniteFuture(), &cancellation})));
  EXPECT_TRUE(absl::IsDeadlineExceeded(VerifyAssets(config_, cache_, "", {absl::InfinitePast(), nullptr})));
}

TEST_F(AssetDigestsTest, AMissingFileIsNamed) {
  config_.set_kernel_path("/nowhere/vmlinux");
  EXPECT_THAT(Verify(), AllOf(HasSubstr("/nowhere/vmlinux: No such file"), HasSubstr("; do this")));
}

TEST_F(AssetDigestsTest, WithoutADigestNothingIsRead) {
  const uint64_t reads = cache_.reads();
  config_.clear_sha512();
  config_.set_kernel_path("/nowhere/vmlinux");
  EXPECT_EQ(VerifyAssets(config_, cache_, "", CallContext()), absl::OkStatus());
  EXPECT_EQ(cache_.reads(), reads);
}

TEST_F(AssetDigestsTest, WhatCannotBeADigestIsRefused) {
  for (const std::string& digest : {std::string("abc"), std::string(128, 'g'), digest_ + "0", digest_.substr(1)}) {
    config_.mutable_sha512()->set_kernel(digest);
    EXPECT_EQ(CheckAssetDigests(config_).code(), absl::StatusCode::kInvalidArgument) << digest;
  }
  config_.mutable_sha512()->set_kernel(digest_);
  config_.clear_kernel_path();
  EXPECT_THAT(std::string(CheckAssetDigests(config_).message()), HasSubstr("hypervisor_config.kernel_path"));
}

}  // namespace
}  // namespace vcd
