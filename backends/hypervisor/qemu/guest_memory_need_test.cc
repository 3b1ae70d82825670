// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/guest_memory_need.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/hypervisor/machine_size.h"

namespace vcd {
namespace {

constexpr uint64_t kMib = 1 << 20;

class GuestMemoryNeedTest : public testing::Test {
 protected:
  GuestMemoryNeedTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
  }
  ~GuestMemoryNeedTest() override { std::filesystem::remove_all(root_); }

  std::string File(const std::string& name, const std::string& bytes, uint64_t size = 0) {
    const std::string path = root_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    if (size != 0) std::filesystem::resize_file(path, size);
    return path;
  }

  std::string BzImage(uint32_t init_size) {
    constexpr uint16_t version = 0x20f;
    std::string bytes(4096, '\0');
    bytes.replace(0x202, 4, "HdrS");
    std::memcpy(&bytes[0x206], &version, sizeof(version));
    std::memcpy(&bytes[0x260], &init_size, sizeof(init_size));
    return bytes;
  }

  uint32_t Need(const std::string& kernel, uint64_t initrd_bytes) {
    return GuestMemoryNeedMib(File("kernel", kernel), File("initrd", "", initrd_bytes));
  }

  std::string root_;
};

TEST_F(GuestMemoryNeedTest, GrowsWithTheKernel) {
  EXPECT_EQ(Need(BzImage(30 * kMib), 2 * kMib), Need(BzImage(20 * kMib), 2 * kMib) + 10);
}

TEST_F(GuestMemoryNeedTest, CountsTheInitramfsThrice) {
  EXPECT_EQ(Need(BzImage(20 * kMib), 12 * kMib), Need(BzImage(20 * kMib), 2 * kMib) + 30);
}

TEST_F(GuestMemoryNeedTest, WhatIsNoKernelCountsAsNothing) {
  const uint32_t nothing = Need("", 20 * kMib);
  EXPECT_GT(nothing, kMinMemoryMib);
  EXPECT_EQ(Need("x", 20 * kMib), nothing);
  EXPECT_EQ(Need("\x7f"
                 "ELF",
                 20 * kMib),
            nothing);
  EXPECT_EQ(GuestMemoryNeedMib(root_ + "/none", root_ + "/neither"), kMinMemoryMib);
}

TEST_F(GuestMemoryNeedTest, StaysWithinWhatMachinesCanHave) {
  EXPECT_EQ(Need(BzImage(UINT32_MAX), uint64_t{kMaxMemoryMib} * kMib), kMaxMemoryMib);
}

}  // namespace
}  // namespace vcd
