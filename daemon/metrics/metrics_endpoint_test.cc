// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/metrics_endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/os/testing/temporary_directory.h"
#include "test/harness/http_client.h"

namespace vcd {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Both kinds of address behave the same.
class MetricsEndpointTest : public testing::TestWithParam<bool> {
 protected:
  std::string Address() const {
    return GetParam() ? absl::StrCat("unix://", directory_.path(), "/new/metrics.sock") : "127.0.0.1:0";
  }

  void Start(const MetricsEndpointLimits& limits = {}, const std::string& text = "one 1\n") {
    auto started = MetricsEndpoint::Start(
        *ParseMetricsAddress(Address()), "text/x", [text] { return text; }, limits);
    ASSERT_TRUE(started.ok()) << started.status();
    endpoint_ = *std::move(started);
    address_ = endpoint_->address().Text();
  }

  TemporaryDirectory directory_;
  std::unique_ptr<MetricsEndpoint> endpoint_;
  std::string address_;
};

INSTANTIATE_TEST_SUITE_P(All, MetricsEndpointTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Unix" : "Tcp"; });

TEST_P(MetricsEndpointTest, ServesWhatItIsGiven) {
  Start();
  const std::string response = HttpGet(address_);
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 6\r\n"));
  EXPECT_THAT(response, EndsWith("\r\n\r\none 1\n"));
  EXPECT_EQ(HttpGet(address_, "/metrics?name[]=one"), response);
}

TEST_P(MetricsEndpointTest, HeadHasNoBodyAndOtherRequestsAreRefused) {
  Start();
  HttpConnection head(address_);
  ASSERT_TRUE(head.Send("HEAD /metrics HTTP/1.0\r\n\r\n"));
  EXPECT_THAT(head.ReadToEnd(), EndsWith("Connection: close\r\n\r\n"));
  EXPECT_THAT(HttpGet(address_, "/"), StartsWith("HTTP/1.1 404 "));
  HttpConnection post(address_);
  ASSERT_TRUE(post.Send("POST /metrics HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"));
  EXPECT_THAT(post.ReadToEnd(), StartsWith("HTTP/1.1 405 "));
}

TEST_P(MetricsEndpointTest, RequestInPiecesIsAnswered) {
  Start();
  HttpConnection connection(address_);
  for (const char* piece : {"GE", "T /metr", "ics HTTP/1.1\r", "\nHost: x\r\n", "\r", "\n"}) {
    ASSERT_TRUE(connection.Send(piece));
  }
  EXPECT_THAT(connection.ReadToEnd(), EndsWith("one 1\n"));
}

TEST_P(MetricsEndpointTest, GarbageAndHugeRequestsAreRefusedAndHarmNobody) {
  Start();
  HttpConnection garbage(address_);
  ASSERT_TRUE(garbage.Send(std::string("\x16\x03\x01\0\xff\xfe\n\n", 8)));
  EXPECT_THAT(garbage.ReadToEnd(), StartsWith("HTTP/1.1 400 "));
  HttpConnection endless(address_);
  (void)endless.Send(absl::StrCat("GET /metrics HTTP/1.1\r\nX: ", std::string(100000, 'x')));
  EXPECT_THAT(endless.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  HttpConnection many_fields(address_);
  std::string head = "GET /metrics HTTP/1.1\r\n";
  for (int i = 0; i < 5000; ++i) absl::StrAppend(&head, "X: y\r\n");
  (void)many_fields.Send(absl::StrCat(head, "\r\n"));
  EXPECT_THAT(many_fields.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(HttpGet(address_), EndsWith("one 1\n"));
}

TEST_P(MetricsEndpointTest, LargeAnswerArrivesWhole) {
  Start({}, std::string(3 << 20, 'm'));
  EXPECT_GT(HttpGet(address_).size(), 3u << 20);
}

TEST_P(MetricsEndpointTest, HalfRequestIsClosedInTimeAndOthersGoOn) {
  MetricsEndpointLimits limits;
  // Whole requests come in time on a busy machine, too.
  limits.request_time = absl::Seconds(3);
  Start(limits);
  HttpConnection half(address_);
  HttpConnection silent(address_);
  ASSERT_TRUE(half.Send("GET /metrics HTTP/1.1\r\nHost:"));
  EXPECT_THAT(HttpGet(address_), EndsWith("one 1\n"));
  EXPECT_THAT(half.ReadToEnd(), IsEmpty());
  EXPECT_THAT(silent.ReadToEnd(), IsEmpty());
  EXPECT_THAT(HttpGet(address_), EndsWith("one 1\n"));
}

TEST_P(MetricsEndpointTest, ManyHalfRequestsGiveWayToNewOnes) {
  MetricsEndpointLimits limits;
  limits.max_connections = 4;
  limits.request_time = absl::Minutes(1);
  Start(limits);
  std::vector<std::unique_ptr<HttpConnection>> halves;
  for (int i = 0; i < 12; ++i) {
    halves.push_back(std::make_unique<HttpConnection>(address_));
    ASSERT_TRUE(halves.back()->connected());
    (void)halves.back()->Send("GET /");
    EXPECT_THAT(HttpGet(address_), EndsWith("one 1\n")) << i;
  }
  EXPECT_THAT(halves.front()->ReadToEnd(), IsEmpty());
}

TEST_P(MetricsEndpointTest, ClientThatDoesNotReadItsAnswerIsLeft) {
  MetricsEndpointLimits limits;
  limits.response_time = absl::Milliseconds(200);
  Start(limits, std::string(16 << 20, 'm'));
  HttpConnection slow(address_);
  ASSERT_TRUE(slow.Send("GET /metrics HTTP/1.1\r\n\r\n"));
  // One that reads is served meanwhile.
  HttpConnection quick(address_);
  ASSERT_TRUE(quick.Send("HEAD /metrics HTTP/1.1\r\n\r\n"));
  EXPECT_THAT(quick.ReadToEnd(), StartsWith("HTTP/1.1 200 "));
}

TEST_P(MetricsEndpointTest, EndClosesConnections) {
  Start();
  HttpConnection half(address_);
  ASSERT_TRUE(half.Send("GET /"));
  // Accepted after the one before.
  EXPECT_THAT(HttpGet(address_), EndsWith("one 1\n"));
  endpoint_.reset();
  EXPECT_THAT(half.ReadToEnd(), IsEmpty());
  EXPECT_FALSE(HttpConnection(address_).connected());
}

TEST_P(MetricsEndpointTest, AddressThatIsTakenIsRefused) {
  Start();
  const auto second = MetricsEndpoint::Start(*ParseMetricsAddress(address_), "text/x", [] { return std::string(); });
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--metrics-listen"));
  EXPECT_THAT(HttpGet(address_), EndsWith("one 1\n"));
}

TEST(MetricsSocketTest, IsForOwnerAndGroupAndGoesWithTheEndpoint) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/metrics.sock";
  const MetricsAddress address = *ParseMetricsAddress("unix://" + path);
  const auto start = [&] { return MetricsEndpoint::Start(address, "text/x", [] { return std::string("x 1\n"); }); };
  {
    const auto endpoint = start();
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    struct stat found = {};
    ASSERT_EQ(stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0660u);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  std::ofstream(path) << "no socket";
  const auto refused = start();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("is no socket"));
}

TEST(MetricsSocketTest, AddressThatThisHostHasNotIsRefused) {
  // A documentation address (RFC 5737).
  const auto refused =
      MetricsEndpoint::Start(*ParseMetricsAddress("192.0.2.1:0"), "text/x", [] { return std::string(); });
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("listen for metrics on 192.0.2.1:0"));
}

}  // namespace
}  // namespace vcd
