// SPDX-License-Identifier: Apache-2.0
// A machine with a container that runs is saved and goes on; another goes on from what was saved. With the real QEMU,
// emulated, and the real guest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "test/link/machine_fixture.h"

namespace vcd {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// Counts in its memory, reads its disk for each number, and keeps the last in a file of its overlay.
constexpr char kCount[] =
    "n=0; while :; do n=$((n+1)); echo $n > /count; cat /count; md5sum /bin/busybox > /dev/null; sleep 0.05; done";

// The whole lines of what was told.
std::vector<int> NumbersIn(const std::string& output, bool began_at_a_line) {
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

void ExpectEachOnce(const std::vector<int>& numbers) {
  for (size_t i = 1; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], numbers[i - 1] + 1);
}

class MachineSaveTest : public MachineFixture {
 protected:
  static std::vector<int> Numbers(const RecordingObserver& observer, bool began_at_a_line) {
    return NumbersIn(observer.Output(kPrinter, StdStream::kStdout), began_at_a_line);
  }

  void SaveAndGoOn(bool shared_memory, const std::string& disk_driver);
};

void MachineSaveTest::SaveAndGoOn(bool shared_memory, const std::string& disk_driver) {
  VmSpec spec = Spec("first", disk_driver);
  spec.shared_memory = shared_memory;
  auto machine = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  RecordingObserver before;
  auto session = Talk("first", **machine, before);
  ASSERT_NE(session, nullptr);
  ASSERT_NO_FATAL_FAILURE(StartPrinter(kCount, **machine, *session));
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
  EXPECT_EQ(other->RemoveContainer(kPrinter.container_id, Soon()), absl::OkStatus());
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
