// SPDX-License-Identifier: Apache-2.0
#include "core/model/text_forms.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

TEST(VolumesTest, ParsesAppendsAndFormats) {
  VolumeList volumes;
  ASSERT_TRUE(ParseVolumes("a:/x b:y", &volumes).ok());
  ASSERT_TRUE(ParseVolumes("c:/z", &volumes).ok());
  ASSERT_EQ(volumes.size(), 3);
  EXPECT_EQ(volumes[0].mount_tag(), "a");
  EXPECT_EQ(volumes[0].host_path(), "/x");
  EXPECT_EQ(FormatVolumes(volumes), "a:/x b:y c:/z");
}

TEST(VolumesTest, NoVolumesAreEmptyText) { EXPECT_EQ(FormatVolumes(VolumeList()), ""); }

TEST(SocketsTest, ParsesAppendsAndFormats) {
  SocketList sockets;
  ASSERT_TRUE(ParseSockets("d0:i0:/p0:n0 d1:i1:/p1:n1", &sockets).ok());
  ASSERT_EQ(sockets.size(), 2);
  EXPECT_EQ(sockets[1].device_id(), "d1");
  EXPECT_EQ(sockets[1].id(), "i1");
  EXPECT_EQ(sockets[1].host_path(), "/p1");
  EXPECT_EQ(sockets[1].name(), "n1");
  EXPECT_EQ(FormatSockets(sockets), "d0:i0:/p0:n0 d1:i1:/p1:n1");
}

class BadVolumes : public testing::TestWithParam<const char*> {};

TEST_P(BadVolumes, AreRefusedAndNothingIsAppended) {
  VolumeList volumes;
  const absl::Status status = ParseVolumes(GetParam(), &volumes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("volume"));
  EXPECT_TRUE(volumes.empty());
}

INSTANTIATE_TEST_SUITE_P(All, BadVolumes,
                         testing::Values("", " ", "a", "a:", ":/x", ":", "a:b:c", "a:/x ", " a:/x", "a:/x  b:/y",
                                         "a:/x b", "a:/x :/y"));

class BadSockets : public testing::TestWithParam<const char*> {};

TEST_P(BadSockets, AreRefusedAndNothingIsAppended) {
  SocketList sockets;
  EXPECT_EQ(ParseSockets(GetParam(), &sockets).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(sockets.empty());
}

INSTANTIATE_TEST_SUITE_P(All, BadSockets,
                         testing::Values("", "a", "a:b:c", "a:b:c:d:e", ":b:c:d", "a::c:d", "a:b::d",
                                         "a:b:c:", "a:b:c:d "));

TEST(VolumesTest, MessagesNameTheItemAndThePart) {
  VolumeList volumes;
  EXPECT_THAT(std::string(ParseVolumes("a:/x b:", &volumes).message()), HasSubstr("\"b:\": path is empty"));
  EXPECT_THAT(std::string(ParseVolumes("a:b:c", &volumes).message()), HasSubstr("has 3 parts; expected 2"));
}

}  // namespace
}  // namespace vcd
