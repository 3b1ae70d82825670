// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/http_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(HttpRequestTest, HeadEndsWithAnEmptyLine) {
  EXPECT_EQ(HttpHeadLength(""), 0u);
  EXPECT_EQ(HttpHeadLength("GET / HTTP/1.1\r\nHost: x\r\n"), 0u);
  EXPECT_EQ(HttpHeadLength("GET / HTTP/1.1\r\n\r"), 0u);
  EXPECT_EQ(HttpHeadLength("GET / HTTP/1.1\r\n\r\n"), 18u);
  EXPECT_EQ(HttpHeadLength("GET / HTTP/1.1\n\nbody"), 16u);
}

TEST(HttpRequestTest, MethodAndPathAreRead) {
  const HttpRequest request =
      ParseHttpHead("GET /metrics?name=a%20b HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nX-Empty:\r\n\r\n");
  EXPECT_EQ(request.error, 0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/metrics");
  EXPECT_EQ(ParseHttpHead("HEAD /metrics HTTP/1.0\n\n").method, "HEAD");
}

struct Bad {
  const char* name;
  std::string head;
  int code;
};

class BadHeadTest : public testing::TestWithParam<Bad> {};

TEST_P(BadHeadTest, IsRefused) {
  const HttpRequest request = ParseHttpHead(GetParam().head);
  EXPECT_EQ(request.error, GetParam().code);
  EXPECT_EQ(request.path, "");
}

INSTANTIATE_TEST_SUITE_P(
    All, BadHeadTest,
    testing::Values(Bad{"Empty", "\r\n\r\n", 400}, Bad{"OneWord", "GET\r\n\r\n", 400},
                    Bad{"Old", "GET /metrics\r\n\r\n", 400}, Bad{"TwoSpaces", "GET  /metrics HTTP/1.1\r\n\r\n", 400},
                    Bad{"MethodOfBytes", "\x16\x03\x01 / HTTP/1.1\r\n\r\n", 400},
                    Bad{"RelativeTarget", "GET metrics HTTP/1.1\r\n\r\n", 400},
                    Bad{"ControlInTarget", "GET /\x01 HTTP/1.1\r\n\r\n", 400},
                    Bad{"Version2", "GET /metrics HTTP/2.0\r\n\r\n", 505},
                    Bad{"NoHttp", "GET /metrics FTP/1.1\r\n\r\n", 400},
                    Bad{"FieldWithoutColon", "GET /metrics HTTP/1.1\r\nHost\r\n\r\n", 400},
                    Bad{"FieldWithoutName", "GET /metrics HTTP/1.1\r\n: x\r\n\r\n", 400},
                    Bad{"FoldedField", "GET /metrics HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n", 400},
                    Bad{"NulInField", std::string("GET /metrics HTTP/1.1\r\nA: \0\r\n\r\n", 30), 400}),
    [](const auto& test) { return test.param.name; });

TEST(HttpRequestTest, ResponseSaysHowLongItIsAndThatItIsTheLast) {
  const std::string response = MakeHttpResponse(200, "text/plain", "four");
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(response, HasSubstr("Content-Length: 4\r\n"));
  EXPECT_THAT(response, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(response, EndsWith("\r\n\r\nfour"));
  const std::string head = MakeHttpResponse(200, "text/plain", "four", /*head_only=*/true);
  EXPECT_THAT(head, HasSubstr("Content-Length: 4\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
  EXPECT_THAT(MakeHttpResponse(405, "text/plain", ""), HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(response, Not(HasSubstr("Allow")));
}

}  // namespace
}  // namespace vcd
