// SPDX-License-Identifier: Apache-2.0
#include "core/pod/request_ledger.h"

#include "core/pod/pod_record.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

state::v1::Request Request(const std::string& id, uint64_t fingerprint = 1) {
  state::v1::Request request;
  request.set_request_id(id);
  request.set_fingerprint(fingerprint);
  return request;
}

class RequestLedgerTest : public testing::Test {
 protected:
  RequestLedger::DoneCallback Tell(const std::string& who) {
    return [this, who](const absl::Status& status) { told_.push_back(who + (status.ok() ? " ok" : " failed")); };
  }
  RequestLedger ledger_;
  std::vector<std::string> told_;
};

TEST_F(RequestLedgerTest, TheSameRequestJoinsTheOneUnderWay) {
  auto first = ledger_.Enter(Request("a"), Tell("first"));
  ASSERT_TRUE(first.ok() && *first != nullptr);
  auto second = ledger_.Enter(Request("a"), Tell("second"));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(*second, nullptr);
  EXPECT_THAT(told_, IsEmpty());
  (*first)(absl::OkStatus());
  EXPECT_THAT(told_, ElementsAre("first ok", "second ok"));
}

TEST_F(RequestLedgerTest, AnEndedRequestMayComeAgain) {
  (*ledger_.Enter(Request("a"), Tell("first")))(absl::AbortedError("x"));
  auto again = ledger_.Enter(Request("a", 2), Tell("again"));
  ASSERT_TRUE(again.ok() && *again != nullptr);
  (*again)(absl::OkStatus());
  EXPECT_THAT(told_, ElementsAre("first failed", "again ok"));
}

TEST_F(RequestLedgerTest, AnotherRequestWithTheSameIdIsRefused) {
  auto first = ledger_.Enter(Request("a"), Tell("first"));
  const absl::Status refused = ledger_.Enter(Request("a", 2), Tell("other")).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailOf(refused)->reason, v1::ERROR_REASON_REQUEST_ID_REUSED);
  (*first)(absl::OkStatus());
  EXPECT_THAT(told_, ElementsAre("first ok"));
}

TEST_F(RequestLedgerTest, RequestsWithoutAnIdAreApart) {
  auto first = ledger_.Enter(Request(""), Tell("first"));
  auto second = ledger_.Enter(Request(""), Tell("second"));
  (*second)(absl::OkStatus());
  EXPECT_THAT(told_, ElementsAre("second ok"));
  (*first)(absl::OkStatus());
}

TEST(PodRecordTest, RemembersTheLastRequestsOnce) {
  state::v1::PodRecord record;
  SetUnderWay(record, state::v1::INTENT_STOP, Request("r0"));
  EXPECT_EQ(record.under_way().request().request_id(), "r0");
  for (int i = 0; i < kRequestsRemembered + 1; ++i) {
    SetDone(record, Request("r" + std::to_string(i)));
    SetDone(record, Request("r" + std::to_string(i)));
  }
  SetDone(record, Request(""));
  EXPECT_FALSE(record.has_under_way());
  EXPECT_EQ(record.done_size(), kRequestsRemembered);
  EXPECT_EQ(FindDone(record, "r0"), nullptr);
  EXPECT_NE(FindDone(record, "r1"), nullptr);
}

}  // namespace
}  // namespace vcd
