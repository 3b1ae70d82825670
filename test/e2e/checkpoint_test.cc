// SPDX-License-Identifier: Apache-2.0
// Checkpoints of real pods: what goes on, what goes on elsewhere, what is refused, and what a crash leaves.
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "test/e2e/e2e_test.h"
#include "test/e2e/rootfs_fixture.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Counts in its memory, with a copy in a file of its overlay and in a tmpfs.
constexpr char kCount[] =
    "n=0; while :; do n=$((n+1)); echo $n > /count; cat /count | tee /scratch/count; sleep 0.1; done";

class CheckpointTest : public E2eTest {
 protected:
  explicit CheckpointTest(const std::string& templates = "off") : E2eTest({"--templates", templates}) {}

  void SetUp() override {
    E2eTest::SetUp();
    out_ = daemon().directory() + "/out";
    fs::create_directory(out_);
  }
  void TearDown() override {
    RemoveAllPods();
    fs::remove_all(out_);
    E2eTest::TearDown();
  }

  void RunCounter(const std::string& id) {
    Must({"run", "-d", "--id", id, "--network", "none", "--tmpfs", "/scratch", "--rootfs", image(), "--", "/bin/sh",
          "-c", kCount});
  }

  // What the counter has printed, line by line; a last one that is half done is left out.
  std::vector<int> Numbers(const std::string& id) {
    std::vector<int> numbers;
    const std::string text = Must({"logs", id});
    for (const auto& line : absl::StrSplit(text.substr(0, text.rfind('\n') + 1), '\n', absl::SkipEmpty())) {
      int number = 0;
      if (absl::SimpleAtoi(line, &number)) numbers.push_back(number);
    }
    return numbers;
  }
  // Waits until it has printed more than so many.
  std::vector<int> AwaitNumbers(const std::string& id, size_t more_than) {
    const absl::Time deadline = absl::Now() + kProgramTimeout;
    std::vector<int> numbers;
    while (numbers.size() <= more_than && absl::Now() < deadline) numbers = Numbers(id);
    EXPECT_GT(numbers.size(), more_than) << id;
    return numbers;
  }
  static void ExpectEachOnce(const std::vector<int>& numbers) {
    // The first line of a log that begins in the middle may be a part of a number.
    for (size_t i = 2; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], numbers[i - 1] + 1);
  }

  std::vector<std::string> Outs() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(out_)) names.push_back(entry.path().filename());
    return names;
  }
  std::string Out(const std::string& name) const { return out_ + "/" + name; }

  // Copies a checkpoint and changes the copy.
  std::string Copy(const std::string& name, const std::string& to) const {
    fs::copy(Out(name), Out(to), fs::copy_options::recursive);
    return Out(to);
  }

  // `vc restore` of it is refused in such words, and nothing is made.
  void ExpectUnfit(const std::string& directory, const std::string& why) {
    const ProgramResult result = Vc({"restore", directory, "--id", "unfit"});
    EXPECT_NE(result.exit_code, 0);
    EXPECT_THAT(result.err, HasSubstr(why));
    EXPECT_THAT(Must({"ps", "-a"}), testing::Not(HasSubstr("unfit")));
  }

  std::string out_;
};

TEST_F(CheckpointTest, CounterGoesOnHereAndFromThere) {
  RunCounter("web");
  const std::vector<int> before = AwaitNumbers("web", 5);
  const std::string printed = Must({"checkpoint", "web", Out("one")});
  EXPECT_THAT(printed, HasSubstr(Out("one")));
  EXPECT_EQ(daemon().GetPod("web").state(), v1::POD_STATE_RUNNING);
  const std::vector<int> after = AwaitNumbers("web", before.size() + 5);
  for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i], static_cast<int>(i) + 1);
  EXPECT_EQ(Exec("web", {"true"}).exit_code, 0);

  Must({"rm", "-f", "web"});
  EXPECT_EQ(Trimmed(Must({"restore", Out("one")})), "web");
  const v1::Pod restored = daemon().GetPod("web");
  EXPECT_EQ(restored.state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(restored.vm().start(), v1::VM_START_RESTORED);
  const std::vector<int> there = AwaitNumbers("web", 5);
  ExpectEachOnce(there);
  EXPECT_GE(there.back(), before.back());
  EXPECT_LT(there[1], after.back() + 50);
  // What it wrote is there, and goes on being written.
  for (const std::string file : {"/count", "/scratch/count"}) {
    // A file that is being written anew is empty for a moment.
    const ProgramResult found = Exec("web", {"sh", "-c", "until grep . " + file + "; do :; done"});
    int last = 0;
    EXPECT_TRUE(absl::SimpleAtoi(Trimmed(found.out), &last)) << file << ": " << found;
    EXPECT_GE(last, before.back()) << file;
  }
  // A daemon that comes later finds it as any other pod.
  daemon().Kill();
  ASSERT_NO_FATAL_FAILURE(daemon().Start());
  RememberDescriptors();
  AwaitNumbers("web", Numbers("web").size());
  EXPECT_EQ(Exec("web", {"true"}).exit_code, 0);
}

TEST_F(CheckpointTest, TwoOfOneAreNotAlike) {
  RunCounter("web");
  Must({"checkpoint", "web", Out("one"), "--stop"});
  EXPECT_EQ(daemon().GetPod("web").state(), v1::POD_STATE_STOPPED);
  Must({"restore", Out("one"), "--id", "left"});
  Must({"restore", Out("one"), "--id", "right"});
  const std::vector<std::string> probe = {"/bin/sh", "-c", "head -c 16 /dev/urandom | od -An -tx1; hostname"};
  const ProgramResult left = Exec("left", probe), right = Exec("right", probe);
  EXPECT_THAT(left.out, HasSubstr("\nleft\n"));
  EXPECT_THAT(right.out, HasSubstr("\nright\n"));
  EXPECT_NE(left.out.substr(0, left.out.find('\n')), right.out.substr(0, right.out.find('\n')));
  // The clock is the host's.
  int64_t now = 0;
  EXPECT_TRUE(absl::SimpleAtoi(Trimmed(Exec("left", {"date", "+%s"}).out), &now));
  EXPECT_LT(absl::AbsDuration(absl::Now() - absl::FromUnixSeconds(now)), absl::Seconds(30));
  // Each is stopped and started as any pod.
  Must({"stop", "left"});
  Must({"start", "left"});
  EXPECT_EQ(daemon().GetPod("left").vm().start(), v1::VM_START_COLD);
}

// The root file system is on a disk that the container writes to all the time, and so is another mount.
TEST_F(CheckpointTest, DisksThatAreWrittenGoAlongAndEachPodHasItsOwn) {
  const std::string root = Out("root.img"), data = Out("data.img");
  MakeImage(directory(), "ext4", root);
  fs::copy_file(root, data);
  Must({"run", "-d", "--id", "web", "--network", "none", "--rootfs", root, "--rootfs-writable", "--mount",
        absl::StrCat("type=ext4,src=", data, ",dst=/data"), "--", "/bin/sh", "-c",
        "n=0; while :; do n=$((n+1)); echo $n > /root/count; echo $n > /data/count; sync; echo $n; sleep 0.1; done"});
  const std::vector<int> before = AwaitNumbers("web", 5);
  Must({"checkpoint", "web", Out("one")});
  AwaitNumbers("web", before.size() + 5);
  const auto count = [this](const std::string& id, const std::string& file) {
    int number = -1;
    // A file that is being written anew is empty for a moment.
    EXPECT_TRUE(absl::SimpleAtoi(Trimmed(Exec(id, {"sh", "-c", "until grep . " + file + "; do :; done"}).out), &number))
        << id;
    return number;
  };
  for (const std::string id : {"left", "right"}) {
    Must({"restore", Out("one"), "--id", id});
    const std::vector<int> there = AwaitNumbers(id, 5);
    ExpectEachOnce(there);
    EXPECT_GE(count(id, "/root/count"), there.back());
    EXPECT_GE(count(id, "/data/count"), there.back());
    EXPECT_THAT(Exec(id, {"sh", "-c", "test ! -e /root/who && echo " + id + " > /root/who && sync"}), ExitsWith(0));
    EXPECT_THAT(daemon().GetPod(id).containers(0).config().rootfs().block().path(),
                HasSubstr("/pods/" + id + "/disks/"));
  }
  EXPECT_NE(Exec("web", {"cat", "/root/who"}).exit_code, 0);
  // Each boots from what it wrote, whatever becomes of the disks of the first.
  Must({"rm", "-f", "web"});
  fs::remove(root);
  Must({"stop", "left"});
  Must({"start", "left"});
  EXPECT_EQ(daemon().GetPod("left").vm().start(), v1::VM_START_COLD);
  EXPECT_EQ(Trimmed(Exec("left", {"cat", "/root/who"}).out), "left");
  EXPECT_EQ(Trimmed(Exec("right", {"cat", "/root/who"}).out), "right");
  const std::string disk = daemon().GetPod("left").containers(0).config().rootfs().block().path();
  EXPECT_TRUE(fs::exists(disk));
  Must({"rm", "-f", "left"});
  EXPECT_FALSE(fs::exists(disk));
}

TEST_F(CheckpointTest, PausedPodStaysPaused) {
  RunCounter("web");
  AwaitNumbers("web", 3);
  Must({"pause", "web"});
  Must({"checkpoint", "web", Out("one")});
  // Once more: it runs for a moment before.
  Must({"checkpoint", "web", Out("two")});
  EXPECT_EQ(daemon().GetPod("web").state(), v1::POD_STATE_PAUSED);
  const size_t stood = Numbers("web").size();
  Must({"resume", "web"});
  AwaitNumbers("web", stood + 3);
  for (const char* name : {"one", "two"}) {
    Must({"restore", Out(name), "--id", name});
    AwaitNumbers(name, 3);
  }
}

TEST_F(CheckpointTest, UnfitOnesAreRefused) {
  RunCounter("web");
  Must({"checkpoint", "web", Out("one"), "--stop"});
  ExpectUnfit(Out("none"), "no such directory");
  ExpectUnfit(out_, "manifest.json");
  const std::string damaged = Copy("one", "damaged");
  {
    std::fstream file(damaged + "/image/state", std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(fs::file_size(damaged + "/image/state") / 2);
    file.seekg(middle);
    const int byte = file.get();
    file.seekp(middle);
    file.put(static_cast<char>(~byte));
  }
  ExpectUnfit(damaged, "image/state");
  const std::string truncated = Copy("one", "truncated");
  fs::resize_file(truncated + "/image/state", fs::file_size(truncated + "/image/state") / 2);
  ExpectUnfit(truncated, "bytes instead of");
  const std::string foreign = Copy("one", "foreign");
  std::ifstream manifest(foreign + "/manifest.json");
  std::string text{std::istreambuf_iterator<char>(manifest), std::istreambuf_iterator<char>()};
  text = text.substr(0, text.find(",\n \"checksum\"")) + "\n}\n";
  text.replace(text.find("\"image_key\": \"") + 14, 8, "00000000");
  std::ofstream(foreign + "/manifest.json") << text;
  ExpectUnfit(foreign, "another machine");
  // The good one is good still.
  Must({"restore", Out("one"), "--id", "good"});
}

TEST_F(CheckpointTest, PodWithADirectoryOfTheHostIsRefused) {
  VCD_SKIP_UNLESS_ROOT();
  Must({"run", "-d", "--id", "web", "--network", "none", "--rootfs", directory(), "--", "sleep", "1000"});
  const ProgramResult result = Vc({"checkpoint", "web", Out("one")});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr(directory()), HasSubstr("no checkpoint holds")));
  EXPECT_THAT(Outs(), IsEmpty());
  EXPECT_EQ(Exec("web", {"true"}).exit_code, 0);
}

TEST_F(CheckpointTest, KilledDaemonLeavesARunningPodAndNoHalf) {
  RunCounter("web");
  const std::vector<int> before = AwaitNumbers("web", 3);
  // A machine that does not answer keeps the checkpoint from coming further than its beginning.
  const pid_t qemu = daemon().GetPod("web").vm().pid();
  ASSERT_EQ(::kill(qemu, SIGSTOP), 0);
  const auto vc = daemon().StartVc({"checkpoint", "web", Out("one")});
  const absl::Time deadline = absl::Now() + kProgramTimeout;
  while (Outs().empty() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  ASSERT_THAT(Outs(), testing::ElementsAre(HasSubstr("one.making-")));
  daemon().Kill();
  ASSERT_EQ(::kill(qemu, SIGCONT), 0);
  ASSERT_NO_FATAL_FAILURE(daemon().Start());
  RememberDescriptors();
  AwaitNumbers("web", before.size() + 3);
  EXPECT_THAT(Outs(), IsEmpty());
  EXPECT_EQ(daemon().GetPod("web").state(), v1::POD_STATE_RUNNING);
  Must({"checkpoint", "web", Out("one")});
}

TEST_F(CheckpointTest, KillAtAnyMomentLeavesAllOrNothing) {
  RunCounter("web");
  AwaitNumbers("web", 3);
  for (int attempt = 0; attempt < 6; ++attempt) {
    const size_t before = Numbers("web").size();
    const auto vc = daemon().StartVc({"checkpoint", "web", Out("one")});
    const absl::Time deadline = absl::Now() + kProgramTimeout;
    while (Outs().empty() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
    // Earlier and later in what comes after its beginning.
    absl::SleepFor(absl::Milliseconds(60) * attempt);
    daemon().Kill();
    ASSERT_NO_FATAL_FAILURE(daemon().Start());
    RememberDescriptors();
    AwaitNumbers("web", before + 3);
    EXPECT_EQ(daemon().GetPod("web").state(), v1::POD_STATE_RUNNING);
    if (Outs().empty()) continue;
    ASSERT_THAT(Outs(), testing::ElementsAre("one"));
    Must({"restore", Out("one"), "--id", "again"});
    AwaitNumbers("again", 3);
    Must({"rm", "-f", "again"});
    fs::remove_all(Out("one"));
  }
}

TEST_F(CheckpointTest, FullDiskLeavesNothingAndTheRunningPod) {
  VCD_SKIP_UNLESS_ROOT();
  RunCounter("web");
  const size_t before = AwaitNumbers("web", 3).size();
  const std::string small = Out("small");
  fs::create_directory(small);
  ASSERT_EQ(::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=4m"), 0);
  const ProgramResult result = Vc({"checkpoint", "web", small + "/one"});
  const bool empty = fs::is_empty(small);
  EXPECT_EQ(::umount(small.c_str()), 0);
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("no room left in"));
  EXPECT_TRUE(empty);
  AwaitNumbers("web", before + 3);
}

class CloneCheckpointTest : public CheckpointTest {
 protected:
  CloneCheckpointTest() : CheckpointTest("on") {}
  void TearDown() override {
    RemoveAllPods();
    Must({"template", "rm", "--all"});
    CheckpointTest::TearDown();
  }
};

TEST_F(CloneCheckpointTest, CloneIsWrittenDownAndRestoredWithoutItsTemplate) {
  Must({"template", "prepare"});
  RunCounter("web");
  EXPECT_EQ(daemon().GetPod("web").vm().start(), v1::VM_START_CLONE);
  const std::vector<int> before = AwaitNumbers("web", 3);
  Must({"checkpoint", "web", Out("one")});
  AwaitNumbers("web", before.size() + 3);
  Must({"rm", "-f", "web"});
  Must({"template", "rm", "--all"});
  Must({"restore", Out("one"), "--id", "again"});
  const std::vector<int> there = AwaitNumbers("again", 3);
  ExpectEachOnce(there);
  EXPECT_GE(there.back(), before.back());
}

}  // namespace
}  // namespace vcd
