// SPDX-License-Identifier: Apache-2.0
#include "core/device/host_mounts.h"

#include <sys/sysmacros.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(HostMountsTest, ReadsLinesWithAndWithoutOptionalFields) {
  const auto mounts = ParseMountinfo(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
      "37 35 253:3 / /srv ro - xfs /dev/mapper/vg-srv ro\n");
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].device, makedev(98, 0));
  EXPECT_EQ(mounts[0].root, "/mnt1");
  EXPECT_EQ(mounts[0].mount_point, "/mnt2");
  EXPECT_EQ(mounts[0].fs_type, "ext3");
  EXPECT_EQ(mounts[0].source, "/dev/root");
  EXPECT_FALSE(mounts[0].readonly);
  EXPECT_EQ(mounts[1].source, "/dev/mapper/vg-srv");
  EXPECT_TRUE(mounts[1].readonly);
}

TEST(HostMountsTest, AReadOnlyViewOfAWritableFilesystemIsNoReadOnlyFilesystem) {
  EXPECT_FALSE(ParseMountinfo("1 0 8:1 / /a ro,relatime - ext4 /dev/sda1 rw\n").at(0).readonly);
}

TEST(HostMountsTest, TakesEscapesBack) {
  const auto mounts = ParseMountinfo(R"(1 0 8:1 / /a\040b\011c\134d\012e rw - ext4 /dev/x\040y rw)");
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0].mount_point, "/a b\tc\\d\ne");
  EXPECT_EQ(mounts[0].source, "/dev/x y");
}

TEST(HostMountsTest, LeavesLinesOfAnotherFormOut) {
  EXPECT_THAT(ParseMountinfo("\n1 0 8:1 / /a rw\n1 0 eight / /a rw - ext4 x rw\n1 0 8:1 / /a rw - ext4\n-\n"),
              testing::IsEmpty());
}

TEST(HostMountsTest, ReadsThoseOfThisHost) {
  const auto mounts = ReadHostMounts(HostTree());
  ASSERT_TRUE(mounts.ok()) << mounts.status();
  EXPECT_THAT(*mounts, testing::Contains(testing::Field(&HostMount::mount_point, "/")));
}

}  // namespace
}  // namespace vcd
