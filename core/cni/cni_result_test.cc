// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_result.h"

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(CniResultTest, ReadsAddressesAndNameServers) {
  const absl::StatusOr<CniResult> result = ParseCniResult(
      R"({"cniVersion": "0.4.0", "interfaces": [{"name": "eth0", "sandbox": "/x"}],
          "ips": [{"version": "4", "address": "10.1.0.2/16", "interface": 0}, {"address": "fd00::2/64"}, {"address": "fd00::3/64", "interface": null}],
          "routes": [{"dst": "0.0.0.0/0"}], "more": [1],
          "dns": {"nameservers": ["10.1.0.1"], "domain": "a.example", "search": ["b.example"], "options": ["ndots:2"]}})",
      "0.4.0");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->interfaces.size(), 1u);
  EXPECT_EQ(result->interfaces[0].name, "eth0");
  EXPECT_EQ(result->interfaces[0].sandbox, "/x");
  ASSERT_EQ(result->addresses.size(), 3u);
  EXPECT_EQ(result->addresses[0].address, "10.1.0.2/16");
  EXPECT_EQ(result->addresses[0].interface, 0);
  EXPECT_EQ(result->addresses[1].address, "fd00::2/64");
  EXPECT_EQ(result->addresses[1].interface, -1) << "not said";
  EXPECT_EQ(result->addresses[2].interface, -1) << "not said either";
  EXPECT_THAT(result->dns.servers(), ElementsAre("10.1.0.1"));
  EXPECT_THAT(result->dns.searches(), ElementsAre("a.example", "b.example"));
  EXPECT_THAT(result->dns.options(), ElementsAre("ndots:2"));
  EXPECT_EQ(result->document["more"][0], 1);
}

TEST(CniResultTest, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "is not JSON"},
      {"[]", "is no JSON object"},
      {R"({"cniVersion": "0.3.1"})", "`cniVersion` is \"0.3.1\", asked for was 1.0.0"},
      {R"({"cniVersion": "1.0.0", "ips": {}})", "`ips` must be an array"},
      {R"({"cniVersion": "1.0.0", "ips": [1]})", "`ips` must hold objects"},
      {R"({"cniVersion": "1.0.0", "ips": [{"address": 1}]})", "`ips[].address`"},
      {R"({"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/16", "interface": 0}]})",
       "`ips[].interface` of 10.1.0.2/16 is 0, which is no index in `interfaces`; there are 0"},
      {R"({"cniVersion": "1.0.0", "interfaces": [{}], "ips": [{"address": "10.1.0.2/16", "interface": 1}]})",
       "10.1.0.2/16 is 1, which is no index in `interfaces`; there are 1"},
      {R"({"cniVersion": "1.0.0", "interfaces": [{}], "ips": [{"address": "10.1.0.2/16", "interface": 4294967296}]})",
       "is 4294967296, which"},
      {R"({"cniVersion": "1.0.0", "interfaces": [{}], "ips": [{"address": "10.1.0.2/16", "interface": -1}]})",
       "is -1, which"},
      {R"({"cniVersion": "1.0.0", "interfaces": [{}], "ips": [{"address": "10.1.0.2/16", "interface": 0.5}]})",
       "is 0.5, which"},
      {R"({"cniVersion": "1.0.0", "interfaces": [{}], "ips": [{"address": "10.1.0.2/16", "interface": "0\n"}]})",
       "which is no index"},
      {R"({"cniVersion": "1.0.0", "interfaces": ["eth0"]})", "`interfaces` must hold objects"},
      {R"({"cniVersion": "1.0.0", "interfaces": [{"name": 1}]})", "`interfaces[].name`"},
      {R"({"cniVersion": "1.0.0", "dns": []})", "`dns` must be an object"},
      {R"({"cniVersion": "1.0.0", "dns": {"nameservers": [1]}})", "`nameservers` must hold strings"},
  };
  for (const auto& [text, problem] : cases) {
    const absl::Status status = ParseCniResult(text, "1.0.0").status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(problem)) << text;
    EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_NETWORK);
  }
}

TEST(CniErrorTest, HasThePluginsWordsAndACode) {
  const std::pair<int, absl::StatusCode> cases[] = {{11, absl::StatusCode::kUnavailable},
                                                    {3, absl::StatusCode::kNotFound},
                                                    {7, absl::StatusCode::kFailedPrecondition},
                                                    {4, absl::StatusCode::kInternal},
                                                    {100, absl::StatusCode::kFailedPrecondition}};
  for (const auto& [code, expected] : cases) {
    const absl::Status status =
        ParseCniError(CniText({{"code", code}, {"msg", "no more"}, {"details", "all taken"}}), "host-local", "exited");
    EXPECT_EQ(status.code(), expected) << code;
    EXPECT_THAT(std::string(status.message()), HasSubstr("no more: all taken (code "));
    EXPECT_EQ(DetailOf(status)->metadata.at("plugin"), "host-local");
  }
  for (const char* text : {"", "{", "{}", R"({"code": "x"})"}) {
    EXPECT_EQ(ParseCniError(text, "ptp", "exited with status 1").message(), "exited with status 1");
  }
}

TEST(MergeDnsTest, KeepsThreeServersThatAPodCanReach) {
  v1::DnsConfig from, into;
  for (const char* server : {"127.0.0.53", "::1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}) {
    from.add_servers(server);
  }
  MergeDns(from, into);
  EXPECT_THAT(into.servers(), ElementsAre("10.0.0.1", "10.0.0.2", "10.0.0.3"));
}

}  // namespace
}  // namespace vcd
