// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_claims.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Interfaces, and what the result of the plugins `bridge` and `firewall` says of them.
struct Case {
  const char* name;
  const char* result;                  // Beside its version.
  std::vector<std::string> addresses;  // Of `eth0`, which is there.
  const char* problem;                 // Empty: none.
};

CniAttachment Attachment(const std::string& netns_path = "/run/netns/web") {
  CniAttachment attachment;
  attachment.interface_name = "eth0";
  attachment.netns_path = netns_path;
  attachment.configuration = *ParseCniConfiguration(
      R"({"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "bridge"}, {"type": "firewall"}]})",
      "/etc/cni/net.d/lan.conflist");
  return attachment;
}

absl::Status CheckThat(const std::string& members, const std::vector<v1::PodInterface>& there) {
  const absl::StatusOr<CniResult> result = ParseCniResult(R"({"cniVersion": "1.0.0")" + members + "}", "1.0.0");
  EXPECT_TRUE(result.ok()) << result.status();
  return CheckCniClaims(Attachment(), *result, there);
}

v1::PodInterface Interface(const std::string& name, const std::vector<std::string>& addresses) {
  v1::PodInterface interface;
  interface.set_name(name);
  *interface.mutable_addresses() = {addresses.begin(), addresses.end()};
  return interface;
}

class CniClaimsOfTest : public testing::TestWithParam<Case> {};

TEST_P(CniClaimsOfTest, OfAnInterfaceThatIsThere) {
  const absl::Status status =
      CheckThat(GetParam().result, {Interface("net1", {"10.9.0.9/16"}), Interface("eth0", GetParam().addresses)});
  if (std::string(GetParam().problem).empty()) {
    EXPECT_EQ(status, absl::OkStatus());
    return;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("network `lan`"), HasSubstr("(bridge, firewall)"), HasSubstr("/run/netns/web"),
                    HasSubstr("/etc/cni/net.d/lan.conflist"), HasSubstr(GetParam().problem)));
}

#define OWN R"(, "interfaces": [{"name": "veth7"}, {"name": "eth0", "sandbox": "/run/netns/web"}])"

INSTANTIATE_TEST_SUITE_P(
    All, CniClaimsOfTest,
    testing::ValuesIn(std::vector<Case>{
        {"Nothing", "", {}, ""},
        {"Layer2", OWN, {}, ""},
        {"ItsAddresses",
         OWN R"(, "ips": [{"address": "10.9.0.2/16", "interface": 1}, {"address": "fd00:0::2/64", "interface": 1}])",
         {"10.9.0.2/16", "fd00::2/64"},
         ""},
        {"AnotherPrefix",
         OWN R"(, "ips": [{"address": "10.9.0.2/16", "interface": 1}])",
         {"10.9.0.2/24"},
         "does not have the address 10.9.0.2/16 of their result; it has 10.9.0.2/24"},
        {"NoPrefix",
         OWN R"(, "ips": [{"address": "10.9.0.2", "interface": 1}])",
         {"10.9.0.2/24"},
         "address 10.9.0.2 of"},
        {"OddPrefix",
         OWN R"(, "ips": [{"address": "10.9.0.2/24x", "interface": 1}])",
         {"10.9.0.2/24"},
         "address 10.9.0.2/24x of"},
        {"NobodysAddress", OWN R"(, "ips": [{"address": "10.9.0.2/16"}])", {}, ""},
        {"OneOnTheHost", OWN R"(, "ips": [{"address": "10.9.0.1/16", "interface": 0}])", {}, ""},
        {"OneOfTheSameNameOnTheHost",
         R"(, "interfaces": [{"name": "eth0"}], "ips": [{"address": "10.9.0.1/16", "interface": 0}])",
         {},
         ""},
        {"OneElsewhere",
         R"(, "interfaces": [{"name": "eth0", "sandbox": "/run/netns/x"}], "ips": [{"address": "10.9.0.1/16", "interface": 0}])",
         {"10.9.0.1/16"},
         "their result has interface eth0 in /run/netns/x, which is not the pod's namespace /run/netns/web"},
        {"AnotherOneElsewhere", R"(, "interfaces": [{"name": "veth7", "sandbox": "/run/netns/x"}])", {}, ""},
        {"OthersOfThePod",
         R"(, "interfaces": [{"name": "lo", "sandbox": "/run/netns/web"}, {"name": "net1", "sandbox": "/run/netns/web"}])",
         {},
         ""},
        {"AnotherThatIsNotThere",
         R"(, "interfaces": [{"name": "zzz0", "sandbox": "/run/netns/web"}])",
         {},
         "there is no interface zzz0 in the pod's namespace /run/netns/web, where their result has it"},
        {"NoAddress",
         OWN R"(, "ips": [{"address": "10.9.0.2/16", "interface": 1}])",
         {},
         "does not have the address 10.9.0.2/16 of their result; it has none"},
        {"AnotherAddress",
         OWN R"(, "ips": [{"address": "10.9.0.2/16", "interface": 1}])",
         {"10.9.0.3/16", "fd00::2/64"},
         "10.9.0.2/16 of their result; it has 10.9.0.3/16, fd00::2/64"},
        {"OneOfTwo",
         OWN R"(, "ips": [{"address": "10.9.0.2/16", "interface": 1}, {"address": "fd00::2/64", "interface": 1}])",
         {"10.9.0.2/16"},
         "address fd00::2/64"},
        {"NoAddressAtAll", OWN R"(, "ips": [{"address": "x\n", "interface": 1}])", {"10.9.0.2/16"}, "address x\\n of"},
    }),
    [](const auto& info) { return info.param.name; });

TEST(CniClaimsTest, AnInterfaceThatIsNotThereIsToldWithWhatTheResultSays) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "their result tells of no interface at all"},
      {OWN, "their result tells of veth7 on the host, eth0 in /run/netns/web"},
      {R"(, "interfaces": [{"name": "eth0", "sandbox": "/run/netns/other"}])", "tells of eth0 in /run/netns/other"},
  };
  for (const auto& [result, words] : cases) {
    const absl::Status status = CheckThat(result, {Interface("net1", {})});
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("network `lan`: ADD of its CNI plugins (bridge, firewall) succeeded, but there is no "
                                "interface eth0 in the pod's namespace /run/netns/web"),
                      HasSubstr(words), HasSubstr("; see what /etc/cni/net.d/lan.conflist asks of them")));
    ASSERT_TRUE(DetailOf(status).has_value());
    EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_NETWORK);
    EXPECT_EQ(DetailOf(status)->metadata.at("network"), "lan");
    EXPECT_EQ(DetailOf(status)->metadata.at("interface"), "eth0");
  }
}

TEST(CniClaimsTest, ANamespaceIsKnownByWhatItIs) {
  const TemporaryDirectory directory;
  const std::string pods = directory.path() + "/web";
  const std::string another = directory.path() + "/another";
  const std::string link = directory.path() + "/link";
  for (const std::string& path : {pods, another}) std::ofstream(path) << "x";
  std::filesystem::create_symlink(pods, link);
  const auto check = [&pods](const std::string& sandbox, const std::string& address) {
    CniResult result;
    result.interfaces = {{"eth0", sandbox}};
    result.addresses = {{address, 0}};
    return CheckCniClaims(Attachment(pods), result, {Interface("eth0", {"10.9.0.2/16"})});
  };
  EXPECT_EQ(check(link, "10.9.0.2/16"), absl::OkStatus());
  EXPECT_THAT(std::string(check(link, "10.9.0.3/16").message()), HasSubstr("does not have the address 10.9.0.3/16"));
  for (const std::string& elsewhere :
       {another, directory.path() + "/none", std::string("web"), pods + std::string("\0x", 2)}) {
    const absl::Status status = check(elsewhere, "10.9.0.2/16");
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << elsewhere;
    EXPECT_THAT(std::string(status.message()), HasSubstr("which is not the pod's namespace " + pods)) << elsewhere;
  }
}

TEST(CniClaimsTest, AResultWithoutEndIsToldInAFewWords) {
  std::string members = R"(, "interfaces": [)";
  for (int i = 0; i < 1000; ++i) members += (i == 0 ? "" : ", ") + (R"({"name": ")" + std::string(900, 'x') + "\"}");
  const std::string message(CheckThat(members + "]", {}).message());
  EXPECT_THAT(message, HasSubstr("and 992 more"));
  EXPECT_LT(message.size(), 3000u);
}

}  // namespace
}  // namespace vcd
