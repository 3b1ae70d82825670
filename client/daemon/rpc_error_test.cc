// SPDX-License-Identifier: Apache-2.0
#include "client/daemon/rpc_error.h"

#include <string>

#include "gtest/gtest.h"
#include "third_party/google/rpc/error.pb.h"

namespace vcd::client {
namespace {

grpc::Status WithReason(const std::string& reason, const std::string& domain) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(domain);
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such thing", details.SerializeAsString());
}

TEST(RpcErrorTest, KeepsCodeMessageAndReason) {
  const absl::Status status = FromGrpcStatus(WithReason("POD_NOT_FOUND", "vcd"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()), "no such thing");
  EXPECT_EQ(ErrorReasonOf(status), v1::ERROR_REASON_POD_NOT_FOUND);
  EXPECT_TRUE(SaidByDaemon(status));
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(RpcErrorTest, PassesOverForeignAndUnknownReasons) {
  const absl::Status foreign = FromGrpcStatus(WithReason("POD_NOT_FOUND", "example.com"));
  EXPECT_EQ(ErrorReasonOf(foreign), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_FALSE(SaidByDaemon(foreign));
  const absl::Status unknown = FromGrpcStatus(WithReason("OF_NEXT_YEAR", "vcd"));
  EXPECT_EQ(ErrorReasonOf(unknown), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_TRUE(SaidByDaemon(unknown));
  const absl::Status garbage = FromGrpcStatus(grpc::Status(grpc::StatusCode::INTERNAL, "m", "\xff\xff"));
  EXPECT_EQ(ErrorReasonOf(garbage), v1::ERROR_REASON_UNSPECIFIED);
}

TEST(RpcErrorTest, NeverHasAnEmptyMessage) {
  EXPECT_FALSE(FromGrpcStatus(grpc::Status(grpc::StatusCode::UNKNOWN, "")).message().empty());
}

TEST(RpcErrorTest, GivesTheExitCodesOfAShell) {
  EXPECT_EQ(CommandFailureExitCode(FromGrpcStatus(WithReason("COMMAND_NOT_FOUND", "vcd"))), 127);
  EXPECT_EQ(CommandFailureExitCode(FromGrpcStatus(WithReason("COMMAND_NOT_EXECUTABLE", "vcd"))), 126);
  EXPECT_EQ(CommandFailureExitCode(FromGrpcStatus(WithReason("VM_BOOT_FAILED", "vcd"))), 125);
}

}  // namespace
}  // namespace vcd::client
