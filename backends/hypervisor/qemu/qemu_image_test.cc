// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_image.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace vcd {
namespace {

constexpr uint64_t kMemoryBytes = 4 << 20;

class QemuImageTest : public testing::Test {
 protected:
  QemuImageTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    directory_ = mkdtemp(root);
    memory_ = MakeGuestMemory(kMemoryBytes).value();
    // The first and last page, and one that is written but zero.
    EXPECT_EQ(pwrite(memory_.get(), "first", 5, 0), 5);
    EXPECT_EQ(pwrite(memory_.get(), "last", 4, kMemoryBytes - 4), 4);
    EXPECT_EQ(pwrite(memory_.get(), "\0", 1, 1 << 20), 1);
  }
  ~QemuImageTest() override { std::filesystem::remove_all(directory_); }

  void Write(bool shares_memory = true) {
    const absl::StatusOr<UniqueFd> state = CreateImageState(directory_);
    ASSERT_TRUE(state.ok()) << state.status();
    ASSERT_EQ(write(state->get(), "devices", 7), 7);
    const QemuImage::Machine machine{
        kMemoryBytes, shares_memory, /*file_server_port=*/shares_memory, {{"nic-a", 5, "02:00:5e:00:53:01", 2, 1400}}};
    ASSERT_EQ(CompleteImage(directory_, machine, shares_memory ? memory_.get() : -1, CallContext()), absl::OkStatus());
  }

  void ReplaceInManifest(const std::string& from, const std::string& to) {
    const std::string path = directory_ + "/manifest.json";
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from << " in " << text;
    text.replace(at, from.size(), to);
    std::ofstream(path) << text;
  }

  static std::string Read(int fd, off_t at, size_t size) {
    std::string text(size, '?');
    EXPECT_EQ(pread(fd, text.data(), size, at), static_cast<ssize_t>(size));
    return text;
  }

  std::string directory_;
  UniqueFd memory_;
};

TEST_F(QemuImageTest, LookFindsWhatIsMissingOrOfAnotherSize) {
  ASSERT_NO_FATAL_FAILURE(Write());
  const auto machine = QemuImage::Look(directory_);
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->memory_bytes, kMemoryBytes);
  for (const char* name : {"/memory", "/state", "/manifest.json"}) {
    std::filesystem::rename(directory_ + name, directory_ + "/away");
    const absl::Status missing = QemuImage::Look(directory_).status();
    EXPECT_EQ(missing.code(), absl::StatusCode::kDataLoss) << missing;
    EXPECT_NE(missing.message().find(name), absl::string_view::npos) << missing;
    std::filesystem::rename(directory_ + "/away", directory_ + name);
  }
  std::filesystem::resize_file(directory_ + "/state", 3);
  EXPECT_EQ(QemuImage::Look(directory_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(QemuImageTest, IsReadAndWrittenForAsLongAsTheContextAllows) {
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  const CallContext over{absl::InfiniteFuture(), &cancellation};
  ASSERT_NO_FATAL_FAILURE(Write());
  EXPECT_TRUE(absl::IsAborted(QemuImage::Load(directory_, over).status()));
  EXPECT_TRUE(absl::IsAborted(QemuImages().Get(directory_, /*keep=*/false, over).status()));
  EXPECT_TRUE(absl::IsAborted((*QemuImage::Load(directory_, CallContext()))->CopyMemory(over).status()));
  std::filesystem::remove(directory_ + "/memory");
  const QemuImage::Machine machine{kMemoryBytes, true, false, {}};
  EXPECT_TRUE(absl::IsAborted(CompleteImage(directory_, machine, memory_.get(), over)));
}

TEST_F(QemuImageTest, IsReadAsItWasWritten) {
  ASSERT_NO_FATAL_FAILURE(Write());
  const auto image = QemuImage::Load(directory_, CallContext());
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ((*image)->machine().memory_bytes, kMemoryBytes);
  EXPECT_TRUE((*image)->machine().shares_memory);
  EXPECT_TRUE((*image)->machine().file_server_port);
  ASSERT_EQ((*image)->machine().nics.size(), 1u);
  const SavedNic& nic = (*image)->machine().nics[0];
  EXPECT_EQ(nic.id, "nic-a");
  EXPECT_EQ(nic.slot, 5u);
  EXPECT_EQ(nic.mac, "02:00:5e:00:53:01");
  EXPECT_EQ(nic.queues, 2u);
  EXPECT_EQ(nic.mtu, 1400u);
  for (const auto& memory : {(*image)->OpenMemory(), (*image)->CopyMemory(CallContext())}) {
    ASSERT_TRUE(memory.ok()) << memory.status();
    EXPECT_EQ(Read(memory->get(), 0, 5), "first");
    EXPECT_EQ(Read(memory->get(), kMemoryBytes - 4, 4), "last");
    struct stat info;
    ASSERT_EQ(fstat(memory->get(), &info), 0);
    EXPECT_EQ(static_cast<uint64_t>(info.st_size), kMemoryBytes);
    // Two pages: what is zero takes no room.
    EXPECT_EQ(info.st_blocks * 512, 2 * 4096);
  }
}

TEST_F(QemuImageTest, EachReaderOfTheStateBeginsAtItsBeginning) {
  ASSERT_NO_FATAL_FAILURE(Write());
  const auto image = QemuImage::Load(directory_, CallContext());
  ASSERT_TRUE(image.ok()) << image.status();
  for (int reader = 0; reader < 2; ++reader) {
    const auto state = (*image)->OpenState();
    ASSERT_TRUE(state.ok()) << state.status();
    char text[8] = {};
    EXPECT_EQ(read(state->get(), text, sizeof text), 7);
    EXPECT_STREQ(text, "devices");
  }
}

TEST_F(QemuImageTest, MemoryThatIsInTheStateNeedsNoFile) {
  ASSERT_NO_FATAL_FAILURE(Write(/*shares_memory=*/false));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/memory"));
  const auto image = QemuImage::Load(directory_, CallContext());
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ((*image)->machine().memory_bytes, kMemoryBytes);
  EXPECT_FALSE((*image)->machine().shares_memory);
  EXPECT_FALSE((*image)->machine().file_server_port);
  const auto state = (*image)->OpenState();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(Read(state->get(), 0, 7), "devices");
  EXPECT_EQ(write(state->get(), "x", 1), -1);
}

TEST_F(QemuImageTest, ManifestThatContradictsItselfIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Write());
  ASSERT_NO_FATAL_FAILURE(ReplaceInManifest("\"shares_memory\": true", "\"shares_memory\": false"));
  EXPECT_EQ(QemuImage::Load(directory_, CallContext()).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(QemuImageTest, ManifestOfAnotherMemoryIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Write());
  ASSERT_NO_FATAL_FAILURE(ReplaceInManifest("\"memory_bytes\": 4194304", "\"memory_bytes\": 8388608"));
  EXPECT_EQ(QemuImage::Load(directory_, CallContext()).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(QemuImageTest, NobodyChangesTheSharedMemory) {
  ASSERT_NO_FATAL_FAILURE(Write());
  const auto image = QemuImage::Load(directory_, CallContext());
  ASSERT_TRUE(image.ok()) << image.status();
  const auto memory = (*image)->OpenMemory();
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(pwrite(memory->get(), "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(memory->get(), 0), -1);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory->get(), 0), MAP_FAILED);
  void* own = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, memory->get(), 0);
  ASSERT_NE(own, MAP_FAILED);
  static_cast<char*>(own)[0] = 'F';
  EXPECT_EQ(munmap(own, 4096), 0);
  EXPECT_EQ(Read(memory->get(), 0, 5), "first");
}

TEST_F(QemuImageTest, OneWithoutManifestIsNone) {
  ASSERT_NO_FATAL_FAILURE(Write());
  std::filesystem::remove(directory_ + "/manifest.json");
  EXPECT_EQ(QemuImage::Load(directory_, CallContext()).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(QemuImageTest, IsNotWrittenOverAnother) {
  ASSERT_NO_FATAL_FAILURE(Write());
  EXPECT_EQ(CreateImageState(directory_).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(QemuImageTest, IsKeptUntilItIsForgotten) {
  ASSERT_NO_FATAL_FAILURE(Write());
  QemuImages images;
  const auto first = images.Get(directory_, /*keep=*/true, CallContext());
  ASSERT_TRUE(first.ok()) << first.status();
  std::filesystem::remove_all(directory_);
  EXPECT_EQ(*images.Get(directory_, /*keep=*/true, CallContext()), *first);
  images.Forget(directory_);
  EXPECT_EQ(images.Get(directory_, /*keep=*/true, CallContext()).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace vcd
