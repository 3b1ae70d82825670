// SPDX-License-Identifier: Apache-2.0
// Machines that go on from one image: each is a machine of its own by the time its agent has answered. With the real
// QEMU, emulated, and the real guest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "test/link/machine_fixture.h"

namespace vcd {
namespace {

using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr int kClones = 5;

// One line for each thing that must not be another machine's.
constexpr char kProbe[] =
    "hostname; date +%s; cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; "
    "head -c 16 /dev/urandom | od -An -tx1 | tr -d ' '; grep '\\[stack\\]' /proc/self/maps | cut -d- -f1";
constexpr size_t kProbeLines = 6;

class MachineCloneTest : public MachineFixture {
 protected:
  void SetUp() override {
    MachineFixture::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) MakeImage();
  }

  // Of a machine whose agent has answered, with nobody connected.
  void MakeImage() {
    VmSpec spec = Spec("first");
    spec.shared_memory = true;
    auto machine = hypervisor_->Boot(spec, Soon());
    ASSERT_TRUE(machine.ok()) << machine.status();
    RecordingObserver observer;
    auto session = agent_.Connect({"first", "first", ""}, **machine, observer, Soon());
    ASSERT_TRUE(session.ok()) << session.status();
    session->reset();
    image_ = root_ + "/image";
    std::filesystem::create_directory(image_);
    ASSERT_EQ((*machine)->SaveImage(image_, Soon()), absl::OkStatus());
    ASSERT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  }

  // What kProbe prints in a container of a new clone; empty after a failure.
  std::vector<std::string> Probe(const std::string& id, bool shared_memory) {
    VmSpec spec = Spec(id);
    spec.image_dir = image_;
    spec.image_shared = true;
    spec.shared_memory = shared_memory;
    const absl::Time begin = absl::Now();
    auto machine = hypervisor_->Boot(spec, Soon());
    EXPECT_TRUE(machine.ok()) << machine.status();
    if (!machine.ok()) return {};
    RecordingObserver observer;
    auto session = agent_.Connect({id, id, ""}, **machine, observer, Soon());
    EXPECT_TRUE(session.ok()) << session.status();
    if (!session.ok()) return {};
    RecordProperty(absl::StrCat(id, "-ready-ms"), static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - begin)));
    (*session)->Observe();
    observer.AcknowledgeTo(session->get());
    EXPECT_TRUE((*session)->info().processes.empty());

    const auto disk = (*machine)->AttachDisk({"rootfs", root_ + "/root.erofs", false}, Soon());
    EXPECT_TRUE(disk.ok()) << disk.status();
    if (!disk.ok()) return {};
    GuestContainerSpec container;
    container.config.set_id("c1");
    for (const char* word : {"/bin/sh", "-c", kProbe}) container.config.mutable_cmd()->add_args(word);
    container.rootfs = DiskRootfs{*disk, "erofs"};
    container.hostname = id;
    const auto pid = (*session)->CreateContainer(container, Soon());
    EXPECT_TRUE(pid.ok()) << pid.status();
    EXPECT_EQ((*session)->StartContainer("c1", Soon()), absl::OkStatus());
    EXPECT_TRUE(observer.WaitForExit({"c1", ""}).has_value());
    EXPECT_EQ(observer.complaints(), "");
    observer.AcknowledgeTo(nullptr);
    const std::string output = observer.Output({"c1", ""}, StdStream::kStdout);
    return absl::StrSplit(output, '\n', absl::SkipEmpty());
  }

  std::string image_;
};

TEST_F(MachineCloneTest, EachIsAMachineOfItsOwn) {
  std::vector<std::set<std::string>> seen(kProbeLines);
  for (int clone = 0; clone < kClones; ++clone) {
    const std::string id = absl::StrCat("clone-", clone);
    // With its own memory and with that of the image, turn by turn.
    const std::vector<std::string> lines = Probe(id, /*shared_memory=*/clone % 2 == 1);
    ASSERT_THAT(lines, SizeIs(kProbeLines)) << id;
    EXPECT_EQ(lines[0], id);
    const absl::Duration off = absl::Now() - absl::FromUnixSeconds(std::stoll(lines[1]));
    EXPECT_LT(absl::AbsDuration(off), absl::Seconds(30));
    for (size_t line = 2; line < kProbeLines; ++line) {
      EXPECT_TRUE(seen[line].insert(lines[line]).second) << id << " has what another had: " << lines[line];
    }
  }
}

}  // namespace
}  // namespace vcd
