// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/users.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPasswd[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "# a comment\n"
    "broken line\n"
    "ann:x:1000:100:Ann,,,:/home/ann:/bin/sh\n"
    "77:x:500:501::/home/seventy:/bin/sh\n"
    "huge:x:4294967295:1:::\n"
    "nohome:x:9:9";

constexpr char kGroup[] =
    "root:x:0:\n"
    "users:x:100:\n"
    "audio:x:29:bob,ann\n"
    "video:x:44:ann\n"
    "games:x:60:annette";

struct Case {
  const char* name;
  UserRequest request;
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
  const char* home;
};

class ResolveIdentityTest : public ::testing::TestWithParam<Case> {};

TEST_P(ResolveIdentityTest, Resolves) {
  auto identity = ResolveIdentity(GetParam().request, kPasswd, kGroup);
  ASSERT_TRUE(identity.ok()) << identity.outcome().message();
  EXPECT_EQ(identity->uid, GetParam().uid);
  EXPECT_EQ(identity->gid, GetParam().gid);
  EXPECT_EQ(identity->groups, GetParam().groups);
  EXPECT_EQ(identity->home, GetParam().home);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, ResolveIdentityTest,
    ::testing::Values(
        Case{"NothingIsRoot", {}, 0, 0, {}, "/root"}, Case{"Name", {.user = "ann"}, 1000, 100, {29, 44}, "/home/ann"},
        Case{"NumberOfAKnownUser", {.user = "1000"}, 1000, 100, {29, 44}, "/home/ann"},
        Case{"NumberOfNobody", {.user = "4711"}, 4711, 0, {}, "/"},
        Case{"ANameMadeOfDigitsWins", {.user = "77"}, 500, 501, {}, "/home/seventy"},
        Case{"GroupAfterColon", {.user = "ann:video"}, 1000, 44, {}, "/home/ann"},
        Case{"NumbersAfterColon", {.user = "12:13"}, 12, 13, {}, "/"},
        Case{"PrimaryGroupWins", {.user = "ann:video", .primary_group = "users"}, 1000, 100, {}, "/home/ann"},
        Case{"Supplementary", {.user = "12", .supplementary_groups = {"60", "audio", "60"}}, 12, 0, {29, 60}, "/"},
        Case{"NoHome", {.user = "nohome"}, 9, 9, {}, "/"}),
    [](const auto& info) { return info.param.name; });

TEST(ResolveIdentityTest, UnknownNamesAreNamed) {
  const auto user = ResolveIdentity({.user = "zoe"}, kPasswd, kGroup).outcome();
  EXPECT_EQ(user.code(), ErrorCode::ERROR_CODE_USER_NOT_FOUND);
  EXPECT_THAT(user.message(), HasSubstr("\"zoe\""));
  const auto group = ResolveIdentity({.user = "ann", .primary_group = "nogroup"}, kPasswd, kGroup).outcome();
  EXPECT_EQ(group.code(), ErrorCode::ERROR_CODE_USER_NOT_FOUND);
  EXPECT_THAT(group.message(), HasSubstr("\"nogroup\""));
}

TEST(ResolveIdentityTest, NumbersThatAreNoIdsAreRefused) {
  for (const char* user : {"-1", "4294967295", "4294967296", "1x", "huge"}) {
    EXPECT_EQ(ResolveIdentity({.user = user}, kPasswd, kGroup).outcome().code(), ErrorCode::ERROR_CODE_USER_NOT_FOUND)
        << user;
  }
  EXPECT_THAT(ResolveIdentity({.user = "3000000000"}, kPasswd, kGroup).outcome().message(),
              HasSubstr("\"3000000000\", and as a number it is too large: ids go up to 2147483647"));
  EXPECT_THAT(ResolveIdentity({.user = "0:3000000000"}, kPasswd, kGroup).outcome().message(),
              HasSubstr("/etc/group has no group \"3000000000\", and as a number it is too large"));
}

TEST(ResolveIdentityTest, WorksWithoutFiles) {
  auto identity = ResolveIdentity({}, "", "");
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(identity->uid, 0u);
  EXPECT_EQ(identity->home, "/");
  EXPECT_THAT(identity->groups, IsEmpty());
  identity = ResolveIdentity({.user = "5:6", .supplementary_groups = {"7"}}, "", "");
  ASSERT_TRUE(identity.ok());
  EXPECT_THAT(identity->groups, ElementsAre(7));
}

TEST(UsersTest, NamesAUser) {
  EXPECT_EQ(UserName(1000, kPasswd), "ann");
  EXPECT_EQ(UserName(77, kPasswd), "77");
  EXPECT_EQ(UserName(0, ""), "0");
}

}  // namespace
}  // namespace vcd::guest
