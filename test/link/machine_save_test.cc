// SPDX-License-Identifier: Apache-2.0
// A machine with a container that runs is saved and goes on; another goes on from what was saved. With the real QEMU,
// emulated, and the real guest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
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

using ::testing::IsEmpty;
using ::testing::SizeIs;

const ProcessKey kCounter{"counter", ""};
// Counts in its memory, reads its disk for each number, and keeps the last in a file of its overlay.
constexpr char kCount[] =
    "n=0; while :; do n=$((n+1)); echo $n > /count; cat /count; md5sum /bin/busybox > /dev/null; sleep 0.05; done";

CallContext Soon() { return {absl::Now() + absl::Seconds(120), nullptr}; }

// The whole lines among what was told.
std::vector<int> Numbers(const RecordingObserver& observer, bool began_at_a_line) {
  const std::string output = observer.Output(kCounter, StdStream::kStdout);
  std::vector<std::string> lines = absl::StrSplit(output.substr(0, output.rfind('\n')), '\n', absl::SkipEmpty());
  if (!began_at_a_line && !lines.empty()) lines.erase(lines.begin());
  std::vector<int> numbers;
  for (const std::string& line : lines) {
    int number = -1;
    EXPECT_TRUE(absl::SimpleAtoi(line, &number)) << line;
    numbers.push_back(number);
  }
  return numbers;
}

// Waits for more output than there is.
void AwaitMore(RecordingObserver& observer) {
  const size_t now = observer.Output(kCounter, StdStream::kStdout).size();
  EXPECT_TRUE(observer.WaitForOutput(kCounter, StdStream::kStdout, now + 40));
}

void ExpectEachOnce(const std::vector<int>& numbers) {
  for (size_t i = 1; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], numbers[i - 1] + 1);
}

class MachineSaveTest : public testing::Test {
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
  }

  void TearDown() override {
    for (const std::string& run_dir : run_dirs_) EXPECT_EQ(hypervisor_->Reap(run_dir, Soon()), absl::OkStatus());
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  VmSpec Spec(const std::string& id, const std::string& disk_driver) {
    VmSpec spec;
    spec.pod_id = id;
    spec.run_dir = root_ + "/" + id;
    std::filesystem::create_directory(spec.run_dir);
    run_dirs_.push_back(spec.run_dir);
    v1::HypervisorConfig config;
    config.set_block_device_driver(disk_driver);
    spec.config = hypervisor_->Resolve(config).value();
    return spec;
  }

  std::unique_ptr<GuestSession> Talk(const std::string& id, VirtualMachine& machine, RecordingObserver& observer) {
    auto session = agent_.Connect({id, id, ""}, machine, observer, Soon());
    EXPECT_TRUE(session.ok()) << session.status();
    if (!session.ok()) return nullptr;
    (*session)->Observe();
    observer.AcknowledgeTo(session->get());
    return *std::move(session);
  }

  void StartCounter(VirtualMachine& machine, GuestSession& session) {
    const auto disk = machine.AttachDisk({"rootfs-0", root_ + "/root.erofs", false}, Soon());
    ASSERT_TRUE(disk.ok()) << disk.status();
    GuestContainerSpec container;
    container.config.set_id(kCounter.container_id);
    for (const char* word : {"/bin/sh", "-c", kCount}) container.config.mutable_cmd()->add_args(word);
    container.rootfs = DiskRootfs{*disk, "erofs"};
    const auto pid = session.CreateContainer(container, Soon());
    ASSERT_TRUE(pid.ok()) << pid.status();
    ASSERT_EQ(session.StartContainer(kCounter.container_id, Soon()), absl::OkStatus());
  }

  void SaveAndGoOn(bool shared_memory, const std::string& disk_driver);

  std::string root_;
  std::vector<std::string> run_dirs_;
  IoThread io_;
  std::unique_ptr<QemuHypervisor> hypervisor_;
  NativeAgent agent_{io_};
};

void MachineSaveTest::SaveAndGoOn(bool shared_memory, const std::string& disk_driver) {
  VmSpec spec = Spec("first", disk_driver);
  spec.shared_memory = shared_memory;
  auto machine = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  RecordingObserver before;
  auto session = Talk("first", **machine, before);
  ASSERT_NE(session, nullptr);
  ASSERT_NO_FATAL_FAILURE(StartCounter(**machine, *session));
  AwaitMore(before);
  // So that the stream goes on at a place that is known.
  before.AcknowledgeTo(nullptr);
  session.reset();
  const std::string image = root_ + "/image";
  std::filesystem::create_directory(image);
  const absl::Time begin = absl::Now();
  ASSERT_EQ((*machine)->SaveImage(image, Soon()), absl::OkStatus());
  RecordProperty("save-ms", static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - begin)));
  const std::vector<int> told = Numbers(before, /*began_at_a_line=*/true);
  ASSERT_THAT(told, testing::Not(IsEmpty()));
  ExpectEachOnce(told);

  // The machine that was saved goes on.
  ASSERT_EQ((*machine)->Resume(Soon()), absl::OkStatus());
  RecordingObserver after;
  session = Talk("first", **machine, after);
  ASSERT_NE(session, nullptr);
  AwaitMore(after);
  const std::vector<int> went_on = Numbers(after, /*began_at_a_line=*/false);
  ASSERT_THAT(went_on, testing::Not(IsEmpty()));
  ExpectEachOnce(went_on);
  EXPECT_GE(went_on.back(), told.back());
  const state::v1::VirtualMachine record = (*machine)->Record();

  // And beside it another one from where it was saved, with the container and its disk.
  VmSpec restored = Spec("second", disk_driver);
  restored.shared_memory = shared_memory;
  restored.image_dir = image;
  restored.image_disks = {record.block_devices().begin(), record.block_devices().end()};
  auto second = hypervisor_->Boot(restored, Soon());
  ASSERT_TRUE(second.ok()) << second.status();
  RecordingObserver elsewhere;
  auto other = Talk("second", **second, elsewhere);
  ASSERT_NE(other, nullptr);
  ASSERT_THAT(other->info().processes, SizeIs(1));
  EXPECT_TRUE(other->info().processes[0].started);
  AwaitMore(elsewhere);
  const std::vector<int> numbers = Numbers(elsewhere, /*began_at_a_line=*/false);
  ASSERT_THAT(numbers, testing::Not(IsEmpty()));
  ExpectEachOnce(numbers);
  // Neither from the beginning, nor from where the first machine is by now.
  EXPECT_GE(numbers.back(), told.back());
  EXPECT_LE(numbers.front(), went_on.back());
  EXPECT_EQ(elsewhere.complaints(), "");
  // Its disks can be taken away, and others given to it.
  EXPECT_EQ(other->RemoveContainer(kCounter.container_id, Soon()), absl::OkStatus());
  EXPECT_EQ((*second)->DetachDisk("rootfs-0", Soon()), absl::OkStatus());
  EXPECT_TRUE((*second)->AttachDisk({"rootfs-1", root_ + "/root.erofs", false}, Soon()).ok());
  elsewhere.AcknowledgeTo(nullptr);
  after.AcknowledgeTo(nullptr);
}

TEST_F(MachineSaveTest, OwnMemory) { SaveAndGoOn(/*shared_memory=*/false, "virtio-scsi"); }
TEST_F(MachineSaveTest, SharedMemory) { SaveAndGoOn(/*shared_memory=*/true, "virtio-scsi"); }
TEST_F(MachineSaveTest, DisksOfThePciBus) { SaveAndGoOn(/*shared_memory=*/false, "virtio-blk"); }

}  // namespace
}  // namespace vcd
