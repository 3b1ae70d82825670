// SPDX-License-Identifier: Apache-2.0
// What containers have of the host in their machine: attached in one way, taken away in one way, whatever fails.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#undef major
#undef minor

#include <fstream>

#include "core/device/testing/made_host.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class PodAttachmentTest : public PodRuntimeTest {
 protected:
  PodAttachmentTest() {
    std::filesystem::create_directories(root_ + "/data");
    for (const char* name : {"image", "disk", "other", "root"}) MakeExt4(name);
    host_.AddPciDevice("7", "0000:02:00.0", "0x020000", "vfio-pci");
    host_.AddPciDevice("7", "0000:02:00.1", "0x020000", "vfio-pci");
    options_.host = host_.tree();
    Restart();
  }

  // A file with an ext4's superblock, as far as anybody on the host looks.
  void MakeExt4(const std::string& name) {
    std::string bytes(4096, '\0');
    bytes.replace(1080, 2, "\x53\xef");
    std::ofstream(root_ + "/" + name, std::ios::binary) << bytes;
  }

  static void AddMount(v1::ContainerConfig& container, const std::string& type, const std::string& source,
                       const std::string& destination, const std::vector<std::string>& options = {}) {
    v1::Mount& mount = *container.add_mounts();
    mount.set_type(type);
    mount.set_source(source);
    mount.set_destination(destination);
    *mount.mutable_options() = {options.begin(), options.end()};
  }
  static void AddDevice(v1::ContainerConfig& container, const std::string& host_path, const std::string& path) {
    v1::Device& device = *container.add_devices();
    device.set_host_path(host_path);
    device.set_container_path(path);
  }

  // A container with one of everything: two shares, three disks, two PCI devices.
  v1::ContainerConfig Full(const std::string& id) {
    v1::ContainerConfig container = Config("x").containers(0);
    container.set_id(id);
    AddMount(container, "bind", root_ + "/data", "/data", {"ro"});
    AddMount(container, "ext4", root_ + "/image", "/image", {"ro"});
    AddMount(container, "ext4", root_ + "/disk", "/disk");
    AddMount(container, "tmpfs", "tmpfs", "/tmp");
    AddDevice(container, root_ + "/other", "/dev/other");
    AddDevice(container, "/dev/vfio/7", "/dev/vfio/7");
    return container;
  }
  v1::PodConfig FullPod(const std::string& id) {
    v1::PodConfig config = Config(id);
    *config.mutable_containers(0) = Full("main");
    v1::Volume& volume = *config.add_volumes();
    volume.set_mount_tag("shared");
    volume.set_host_path(root_ + "/data");
    AddMount(*config.mutable_containers(0), "volume", "shared", "/shared");
    return config;
  }

  void ExpectFull(const std::string& pod_id) {
    EXPECT_THAT(hypervisor().directories(pod_id), UnorderedElementsAre("volume-0", "rootfs-1", "mount-2"));
    EXPECT_THAT(hypervisor().disks(pod_id), UnorderedElementsAre("mount-3", "mount-4", "device-5"));
    EXPECT_THAT(hypervisor().host_devices(pod_id), ElementsAre("0000:02:00.0", "0000:02:00.1"));
  }

  MadeHost host_;
};

TEST_F(PodAttachmentTest, EveryThingHasItsIdOutOfOneIndex) {
  ASSERT_EQ(Run(FullPod("web")).status(), absl::OkStatus());
  ExpectFull("web");
  // The pod's volume is shared once, whoever uses it.
  v1::ContainerConfig side = Config("x").containers(0);
  side.set_id("side");
  AddMount(side, "volume", "shared", "/shared");
  ASSERT_EQ(CreateContainer("web", side).status(), absl::OkStatus());
  EXPECT_THAT(hypervisor().directories("web"), UnorderedElementsAre("volume-0", "rootfs-1", "mount-2", "rootfs-8"));
}

TEST_F(PodAttachmentTest, WhatIsGivenBackIsTakenAgain) {
  ASSERT_EQ(Run(FullPod("web")).status(), absl::OkStatus());
  ASSERT_EQ(StopContainer("web", "main").status(), absl::OkStatus());
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("volume-0"));
  EXPECT_THAT(hypervisor().disks("web"), IsEmpty());
  EXPECT_THAT(hypervisor().host_devices("web"), IsEmpty());
  ASSERT_EQ(StartContainer("web", "main").status(), absl::OkStatus());
  ExpectFull("web");
  ASSERT_EQ(Delete("web", /*force=*/true).status(), absl::OkStatus());
  ExpectNothingLeft();
}

TEST_F(PodAttachmentTest, AFailureAtAnyStepLeavesNothing) {
  const absl::Status injected = absl::UnavailableError("injected");
  struct {
    const char* step;
    int times;
  } const steps[] = {{"ShareDirectory", 3}, {"AttachDisk", 3}, {"AttachHostDevice", 2}};
  for (const auto& [step, times] : steps) {
    for (int n = 1; n <= times; ++n) {
      hypervisor().FailNth(step, n, injected);
      const absl::Status status = Run(FullPod("web")).status();
      EXPECT_THAT(std::string(status.message()), HasSubstr("injected")) << step << " " << n;
      ExpectNothingLeft();
    }
  }
  // Not even a claim: the disks can be had.
  EXPECT_EQ(Run(FullPod("web")).status(), absl::OkStatus());
}

TEST_F(PodAttachmentTest, AFailureAtAnyStepOfAContainerLeavesThePodAsItWas) {
  ASSERT_EQ(Run(Config("web")).status(), absl::OkStatus());
  const auto expect_as_before = [&](const std::string& what) {
    EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0")) << what;
    EXPECT_THAT(hypervisor().disks("web"), IsEmpty()) << what;
    EXPECT_THAT(hypervisor().host_devices("web"), IsEmpty()) << what;
    EXPECT_EQ(Get("web").containers_size(), 1) << what;
  };
  struct {
    const char* step;
    int times;
  } const steps[] = {{"ShareDirectory", 2}, {"AttachDisk", 3}, {"AttachHostDevice", 2}};
  for (const auto& [step, times] : steps) {
    for (int n = 1; n <= times; ++n) {
      hypervisor().FailNth(step, n, absl::UnavailableError("injected"));
      EXPECT_FALSE(CreateContainer("web", Full("side")).ok());
      expect_as_before(absl::StrCat(step, " ", n));
    }
  }
  agent().FailNth("CreateContainer", 1, absl::InternalError("injected"));
  EXPECT_FALSE(CreateContainer("web", Full("side")).ok());
  expect_as_before("the guest refuses it");
  EXPECT_EQ(CreateContainer("web", Full("side")).status(), absl::OkStatus());
}

TEST_F(PodAttachmentTest, ADetachmentThatFailsStopsNoOther) {
  ASSERT_EQ(Run(FullPod("web")).status(), absl::OkStatus());
  for (const char* step : {"DetachHostDevice", "DetachDisk", "UnshareDirectory"}) {
    hypervisor().FailNth(step, 1, absl::UnavailableError("injected"));
  }
  EXPECT_THAT(std::string(StopContainer("web", "main").status().message()), HasSubstr("injected"));
  EXPECT_THAT(hypervisor().host_devices("web"), ElementsAre("0000:02:00.0"));
  EXPECT_THAT(hypervisor().disks("web"), ElementsAre("mount-3"));
  EXPECT_THAT(hypervisor().directories("web"), UnorderedElementsAre("volume-0", "mount-2"));
  // Tried again, it gets through.
  EXPECT_EQ(StopContainer("web", "main").status(), absl::OkStatus());
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("volume-0"));
  EXPECT_THAT(hypervisor().disks("web"), IsEmpty());
}

TEST_F(PodAttachmentTest, TheNextDaemonTakesLeftoversAway) {
  ASSERT_EQ(Run(Config("web")).status(), absl::OkStatus());
  // The creation fails, and so does its undo.
  agent().FailNth("CreateContainer", 1, absl::InternalError("injected"));
  hypervisor().FailNth("DetachDisk", 1, absl::UnavailableError("injected"));
  hypervisor().FailNth("DetachHostDevice", 1, absl::UnavailableError("injected"));
  hypervisor().FailNth("UnshareDirectory", 2, absl::UnavailableError("injected"));
  ASSERT_FALSE(CreateContainer("web", Full("side")).ok());
  EXPECT_EQ(hypervisor().disks("web").size(), 1u);
  Restart();
  EXPECT_THAT(hypervisor().disks("web"), IsEmpty());
  EXPECT_THAT(hypervisor().host_devices("web"), IsEmpty());
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0"));
  EXPECT_EQ(CreateContainer("web", Full("side")).status(), absl::OkStatus());
}

TEST_F(PodAttachmentTest, AnAdoptedPodKnowsItsVolumesAndItsDisks) {
  ASSERT_EQ(Run(FullPod("web")).status(), absl::OkStatus());
  Restart();
  ExpectFull("web");
  v1::ContainerConfig side = Config("x").containers(0);
  side.set_id("side");
  AddMount(side, "volume", "shared", "/shared");
  EXPECT_EQ(CreateContainer("web", side).status(), absl::OkStatus());
  v1::PodConfig other = Config("other");
  AddMount(*other.mutable_containers(0), "ext4", root_ + "/disk", "/disk");
  EXPECT_THAT(std::string(Run(other).status().message()), AllOf(HasSubstr(root_ + "/disk"), HasSubstr("of pod web")));
}

TEST_F(PodAttachmentTest, ADiskThatIsWrittenIsNobodyElses) {
  v1::PodConfig one = Config("one");
  AddMount(*one.mutable_containers(0), "ext4", root_ + "/disk", "/disk");
  ASSERT_EQ(Run(one).status(), absl::OkStatus());
  std::filesystem::create_hard_link(root_ + "/disk", root_ + "/alias");
  v1::PodConfig two = Config("two");
  AddMount(*two.mutable_containers(0), "ext4", root_ + "/alias", "/disk", {"ro"});
  const absl::Status status = Run(two).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("container main of pod one has it and writes"));
  ASSERT_EQ(Stop("one").status(), absl::OkStatus());
  EXPECT_EQ(Run(two).status(), absl::OkStatus());
  EXPECT_EQ(Start("one").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(PodAttachmentTest, ABlockRootfsIsWrittenUnlessItIsReadOnly) {
  v1::PodConfig one = Config("one");
  one.mutable_containers(0)->mutable_rootfs()->mutable_block()->set_path(root_ + "/root");
  ASSERT_EQ(Run(one).status(), absl::OkStatus());
  EXPECT_THAT(hypervisor().disks("one"), ElementsAre("rootfs-0"));
  EXPECT_EQ(Get("one").containers(0).config().rootfs().block().fs_type(), "ext4");
  v1::PodConfig two = one;
  two.set_id("two");
  two.mutable_containers(0)->mutable_rootfs()->set_readonly(true);
  EXPECT_EQ(Run(two).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(Delete("one", /*force=*/true).status(), absl::OkStatus());
  ASSERT_EQ(Run(two).status(), absl::OkStatus());
  v1::PodConfig three = two;
  three.set_id("three");
  EXPECT_EQ(Run(three).status(), absl::OkStatus()) << "readers share";
}

TEST_F(PodAttachmentTest, WhatTheHostDoesNotHaveIsToldBeforeAnythingIsDone) {
  struct {
    std::string type, source, field, problem;
  } const mounts[] = {
      {"bind", "/none", "mounts[0].source", "No such file"},
      {"bind", "/dev/shm/../null", "mounts[0].source", "kernel"},
      {"ext4", root_ + "/data", "mounts[0].source", "is a directory"},
      {"xfs", root_ + "/disk", "mounts[0].type", "holds ext4"},
      {"volume", "none", "mounts[0].source", "no volume of the pod"},
  };
  const auto calls = hypervisor().calls().size();
  for (const auto& mount : mounts) {
    v1::PodConfig config = Config("web");
    AddMount(*config.mutable_containers(0), mount.type, mount.source, "/x");
    const absl::Status status = Run(config).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(mount.field), HasSubstr(mount.problem)));
  }
  // Whoever may not make a node has none that is refused.
  const bool has_node = mknod((root_ + "/ttyS0").c_str(), S_IFCHR | 0600, gnu_dev_makedev(4, 64)) == 0;
  struct {
    std::string path;
    absl::StatusCode code;
    std::string problem;
  } const devices[] = {
      {root_ + "/ttyS0", absl::StatusCode::kUnimplemented, "character device"},
      {"/dev/vfio/9", absl::StatusCode::kInvalidArgument, "no such group"},
      {root_ + "/data", absl::StatusCode::kInvalidArgument, "is a directory"},
  };
  for (const auto& device : devices) {
    if (device.code == absl::StatusCode::kUnimplemented && !has_node) continue;
    v1::PodConfig config = Config("web");
    AddDevice(*config.mutable_containers(0), device.path, "/dev/x");
    const absl::Status status = Run(config).status();
    EXPECT_EQ(status.code(), device.code) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("devices[0].host_path"), HasSubstr(device.problem)));
  }
  v1::PodConfig config = Config("web");
  config.add_volumes()->set_mount_tag("v");
  config.mutable_volumes(0)->set_host_path("/none");
  EXPECT_THAT(std::string(Run(config).status().message()), HasSubstr("volumes[0].host_path"));
  EXPECT_EQ(hypervisor().calls().size(), calls) << "no machine was made";
  ExpectNothingLeft();
}

TEST_F(PodAttachmentTest, ADeviceThatTheGuestsKernelHasTooIsANodeOfItsNumber) {
  v1::PodConfig config = Config("web");
  AddDevice(*config.mutable_containers(0), "/dev/null", "/dev/nothing");
  ASSERT_EQ(Run(config).status(), absl::OkStatus());
  const v1::Device given = agent().last_spec().config.devices(0);
  EXPECT_EQ(given.type(), "c");
  EXPECT_EQ(given.major(), 1);
  EXPECT_EQ(given.minor(), 3);
  EXPECT_EQ(Get("web").containers(0).config().devices(0).major(), 0) << "the configuration is what was asked for";
  EXPECT_THAT(hypervisor().host_devices("web"), IsEmpty());
  config = Config("other");
  AddDevice(*config.mutable_containers(0), "/dev/null", "/dev/nothing");
  config.mutable_containers(0)->mutable_devices(0)->set_readonly(true);
  EXPECT_THAT(std::string(Run(config).status().message()), HasSubstr("devices[0].readonly"));
}

TEST_F(PodAttachmentTest, TheHostsOwnKernelFilesystemsAreTheGuests) {
  v1::PodConfig config = Config("web");
  for (const char* path : {"/proc", "/sys", "/dev/shm"}) {
    AddMount(*config.mutable_containers(0), "bind", path, path, {"rbind"});
  }
  ASSERT_EQ(Run(config).status(), absl::OkStatus());
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0"));
}

TEST_F(PodAttachmentTest, ADirectoryOnAMappedDeviceThatTheHostWritesIsShared) {
  struct stat status;
  ASSERT_EQ(::stat((root_ + "/rootfs").c_str(), &status), 0);
  // The made host says of the real number of this directory that device-mapper made it.
  const std::string number = absl::StrCat(gnu_dev_major(status.st_dev), ":", gnu_dev_minor(status.st_dev));
  const std::string root = std::filesystem::canonical(root_ + "/rootfs");
  host_.Write("dev/block/" + number + "/dm/name", "vg-root");
  host_.Write("dev/block/" + number + "/uevent", "DEVNAME=vcd-no-such-device");
  host_.AddMount("9 1 " + number + " / " + root + " rw - ext4 /dev/mapper/vg-root rw");
  ASSERT_EQ(Run(Config("web")).status(), absl::OkStatus());
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0"));
  ASSERT_EQ(Delete("web", /*force=*/true).status(), absl::OkStatus());

  // Read-only, it is the device that the guest gets: here one that is not there.
  host_.AddMount("9 1 " + number + " / " + root + " ro - ext4 /dev/mapper/vg-root ro");
  EXPECT_THAT(std::string(Run(Config("web")).status().message()), HasSubstr("/dev/vcd-no-such-device"));
  v1::PodConfig shared = Config("web");
  shared.mutable_hypervisor_config()->set_disable_block_device_use(true);
  ASSERT_EQ(Run(shared).status(), absl::OkStatus());
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0"));
}

}  // namespace
}  // namespace vcd
