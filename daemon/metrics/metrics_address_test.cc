// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/metrics_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

struct Good {
  const char* name;
  const char* text;
  const char* shown;
  bool local;
};

class GoodAddressTest : public testing::TestWithParam<Good> {};

TEST_P(GoodAddressTest, IsReadAndShown) {
  const auto address = ParseMetricsAddress(GetParam().text);
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->Text(), GetParam().shown);
  EXPECT_EQ(address->is_local(), GetParam().local);
  // What is shown can be given.
  EXPECT_EQ(ParseMetricsAddress(address->Text())->Text(), GetParam().shown);
}

INSTANTIATE_TEST_SUITE_P(All, GoodAddressTest,
                         testing::Values(Good{"Unix", "unix:///run/vcd/metrics.sock", "unix:///run/vcd/metrics.sock",
                                              true},
                                         Good{"Loopback", "127.0.0.1:9400", "127.0.0.1:9400", true},
                                         Good{"AnyPort", "127.0.0.1:0", "127.0.0.1:0", true},
                                         Good{"WithScheme", "tcp://127.0.0.1:9400", "127.0.0.1:9400", true},
                                         Good{"PortAlone", ":9400", "127.0.0.1:9400", true},
                                         Good{"Localhost", "localhost:1", "127.0.0.1:1", true},
                                         Good{"LoopbackV6", "[::1]:9400", "[::1]:9400", true},
                                         Good{"OtherLoopback", "127.1.2.3:1", "127.1.2.3:1", true},
                                         Good{"Everywhere", "0.0.0.0:9400", "0.0.0.0:9400", false},
                                         Good{"EverywhereV6", "[::]:9400", "[::]:9400", false}),
                         [](const auto& test) { return test.param.name; });

struct Bad {
  const char* name;
  const char* text;
  const char* message;
};

class BadAddressTest : public testing::TestWithParam<Bad> {};

TEST_P(BadAddressTest, IsRefusedWithWhatToWrite) {
  const auto address = ParseMetricsAddress(GetParam().text);
  ASSERT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(address.status().message()), HasSubstr("`metrics.listen`"));
  EXPECT_THAT(std::string(address.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadAddressTest,
    testing::Values(Bad{"Word", "yes", "neither unix:///PATH nor 127.0.0.1:PORT"},
                    Bad{"Path", "/run/m.sock", "write unix:///run/m.sock"},
                    Bad{"RelativeSocket", "unix://m.sock", "no absolute path"},
                    Bad{"Directory", "unix:///run/", "no absolute path"}, Bad{"NoPort", "127.0.0.1", "neither"},
                    Bad{"EmptyPort", "127.0.0.1:", "neither"}, Bad{"PortTooLarge", "127.0.0.1:65536", "neither"},
                    Bad{"NegativePort", "127.0.0.1:-1", "neither"}, Bad{"Name", "example.org:80", "no numeric address"},
                    Bad{"BareV6", "::1:80", "no numeric address"}, Bad{"HalfBracket", "[::1:80", "no numeric address"},
                    Bad{"V4InBrackets", "[127.0.0.1]:80", "no numeric address"},
                    Bad{"Scheme", "http://127.0.0.1:80", "no numeric address"}),
    [](const auto& test) { return test.param.name; });

TEST(MetricsAddressTest, SocketPathThatTheKernelCannotTakeIsRefused) {
  const auto address = ParseMetricsAddress(absl::StrCat("unix:///", std::string(120, 'x')));
  EXPECT_THAT(std::string(address.status().message()), HasSubstr("121 bytes"));
}

}  // namespace
}  // namespace vcd
