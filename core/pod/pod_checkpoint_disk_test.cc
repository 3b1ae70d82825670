// SPDX-License-Identifier: Apache-2.0
// Checkpoints of pods with disks that they write to.
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/pod/testing/checkpoint_fixture.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(PodCheckpointTest, DisksThatAreWrittenGoAlongAndEachPodHasItsOwn) {
  ASSERT_TRUE(Run(DiskConfig("web")).ok());
  const auto done = Checkpoint("web", Out("one"));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_GE(done->size_bytes, 2 * 4096u);
  EXPECT_THAT(ReadCheckpointManifest(Out("one"))->disks, IsEmpty());
  // The first goes on, and writes.
  MakeExt4("disk.img", 'x');
  for (const char* id : {"two", "three"}) {
    const auto restored = RestoreWithGuest(Out("one"), "web", id);
    ASSERT_TRUE(restored.ok()) << restored.status();
    const v1::ContainerConfig& main = restored->containers(0).config();
    EXPECT_EQ(main.rootfs().block().path(), DiskOf(id, "rootfs-0"));
    EXPECT_EQ(main.mounts(0).source(), DiskOf(id, "mount-1"));
    EXPECT_EQ(FirstByte(DiskOf(id, "rootfs-0")), 'd');
    EXPECT_EQ(FirstByte(DiskOf(id, "mount-1")), 'e');
    EXPECT_THAT(hypervisor().disks(id), testing::UnorderedElementsAre("rootfs-0", "mount-1"));
  }
  // One of them goes with all that it has; the others stay as they are, also without the files of the first.
  ASSERT_TRUE(Delete("two", /*force=*/true).ok());
  EXPECT_FALSE(fs::exists(options_.state_dir + "/pods/two"));
  ASSERT_TRUE(Delete("web", /*force=*/true).ok());
  EXPECT_EQ(FirstByte(root_ + "/disk.img"), 'x');
  fs::remove(root_ + "/disk.img");
  Restart();
  ASSERT_TRUE(Stop("three", /*force=*/true).ok());
  ASSERT_TRUE(Start("three").ok());
  EXPECT_THAT(hypervisor().disks("three"), testing::UnorderedElementsAre("rootfs-0", "mount-1"));
  // A checkpoint of it is one as any other.
  ASSERT_TRUE(Checkpoint("three", Out("again")).ok());
  ASSERT_TRUE(Delete("three", /*force=*/true).ok());
  ASSERT_TRUE(RestoreWithGuest(Out("again"), "three", "web").ok());
  EXPECT_EQ(FirstByte(DiskOf("web", "rootfs-0")), 'd');
  ASSERT_TRUE(Delete("web", /*force=*/true).ok());
  ExpectNothingLeft();
}

TEST_F(PodCheckpointTest, NothingIsLeftOfDisksWhenARestoreFails) {
  ASSERT_TRUE(Run(DiskConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  hypervisor().FailNth("Boot", 1, absl::FailedPreconditionError("no"));
  EXPECT_FALSE(Restore(Out("one"), "two").ok());
  EXPECT_FALSE(fs::exists(options_.state_dir + "/pods/two"));
  EXPECT_TRUE(RestoreWithGuest(Out("one"), "web", "two").ok());
  // A damaged one is found before anything is made.
  MakeExt4("out/one/disks/rootfs-0", 'y');
  const absl::Status damaged = Restore(Out("one"), "three").status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("disks/rootfs-0"));
  fs::remove(Out("one") + "/disks/rootfs-0");
  EXPECT_EQ(ReasonOf(Restore(Out("one"), "three").status()), v1::ERROR_REASON_CHECKPOINT_UNFIT);
}

TEST_F(PodCheckpointTest, FullDiskIsToldWithTheNextStep) {
  ASSERT_TRUE(Run(DiskConfig("web")).ok());
  std::ofstream(root_ + "/data.img", std::ios::app | std::ios::binary) << std::string(1 << 20, 'd');
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  ASSERT_TRUE(Delete("web", /*force=*/true).ok());
  runtime_.reset();
  const std::string small = root_ + "/small";
  fs::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=768k") != 0) GTEST_SKIP() << "mounting is root's";
  options_.state_dir = small + "/state";
  Restart();
  const absl::Status full = Restore(Out("one"), "two").status();
  const bool nothing = !fs::exists(small + "/state/pods/two");
  runtime_.reset();
  EXPECT_EQ(::umount(small.c_str()), 0);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(std::string(full.message()), AllOf(HasSubstr("no room left in " + small), HasSubstr("make some for")));
  EXPECT_TRUE(nothing);
}

TEST_F(PodCheckpointTest, ARestoredPodsDiskThatFailsIsTold) {
  ASSERT_TRUE(Run(DiskConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  ASSERT_TRUE(RestoreWithGuest(Out("one"), "web", "two").ok());
  auto events = Events();
  hypervisor().Trouble("two", {VmTrouble::Kind::kDiskError, "disk rootfs-0: No space left on device"});
  const v1::Event event = AwaitEvent(*events, v1::EVENT_TYPE_POD_IO_ERROR);
  EXPECT_EQ(event.pod_id(), "two");
  EXPECT_EQ(event.reason(), "disk rootfs-0: No space left on device");
}

TEST_F(PodCheckpointTest, DiskOfAStoppedContainerIsRefused) {
  v1::PodConfig config = DiskConfig("web");
  v1::ContainerConfig side = config.containers(0);
  side.set_id("side");
  config.mutable_containers(0)->clear_mounts();
  config.mutable_containers(0)->mutable_rootfs()->mutable_image()->set_path(root_ + "/root.img");
  *config.add_containers() = side;
  ASSERT_TRUE(Run(config).ok());
  ASSERT_TRUE(StopContainer("web", "side").ok());
  const absl::Status status = Checkpoint("web", Out("one")).status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NOT_IMPLEMENTED) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("container side"), HasSubstr(root_ + "/disk.img")));
  ASSERT_TRUE(StartContainer("web", "side").ok());
  EXPECT_TRUE(Checkpoint("web", Out("one")).ok());
}

}  // namespace
}  // namespace vcd
