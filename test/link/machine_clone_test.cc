// SPDX-License-Identifier: Apache-2.0
// Machines that go on from one image: each is a machine of its own by the time its agent has answered. With the real
// QEMU, emulated, and the real guest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "backends/agent/native/native_agent.h"
#include "backends/hypervisor/qemu/qemu_hypervisor.h"
#include "core/agent/testing/recording_observer.h"
#include "core/os/io_thread.h"
#include "guest/image/testing/busybox_root.h"
#include "guest/image/testing/test_machine.h"

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

CallContext Soon() { return {absl::Now() + absl::Seconds(120), nullptr}; }

class MachineCloneTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = guest::TestMachine::WhyNot(); !why.empty()) GTEST_SKIP() << why;
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    std::filesystem::permissions(root_, std::filesystem::perms(0755));
    guest::MakeBusyboxRoot(root_ + "/root");
    const std::string make = absl::StrCat("mkfs.erofs --quiet -T0 ", root_, "/root.erofs ", root_, "/root");
    ASSERT_EQ(system(make.c_str()), 0);
    QemuOptions options;
    options.kernel_path = std::filesystem::canonical("guest/image/vmlinux").string();
    options.initrd_path = std::filesystem::canonical("guest/image/initramfs.cpio").string();
    options.accelerator = "tcg";
    hypervisor_ = QemuHypervisor::Create(io_, options).value();
    ASSERT_NO_FATAL_FAILURE(MakeImage());
  }

  void TearDown() override {
    for (const std::string& run_dir : run_dirs_) EXPECT_EQ(hypervisor_->Reap(run_dir, Soon()), absl::OkStatus());
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  VmSpec Spec(const std::string& id) {
    VmSpec spec;
    spec.pod_id = id;
    spec.run_dir = root_ + "/" + id;
    std::filesystem::create_directory(spec.run_dir);
    run_dirs_.push_back(spec.run_dir);
    spec.config = hypervisor_->Resolve({}).value();
    return spec;
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

  std::string root_;
  std::string image_;
  std::vector<std::string> run_dirs_;
  IoThread io_;
  std::unique_ptr<QemuHypervisor> hypervisor_;
  NativeAgent agent_{io_};
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
