// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/guest_memory_need.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

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

  // A vmlinux with segments of those types and sizes in memory, of which nothing is in the file.
  std::string Vmlinux(const std::vector<std::pair<uint32_t, uint64_t>>& segments,
                      unsigned char elf_class = ELFCLASS64) {
    Elf64_Ehdr header = {};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = elf_class;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<uint16_t>(segments.size());
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
    for (const auto& [type, size] : segments) {
      Elf64_Phdr segment = {};
      segment.p_type = type;
      segment.p_memsz = size;
      bytes.append(reinterpret_cast<const char*>(&segment), sizeof(segment));
    }
    return bytes;
  }

  std::string BzImage(uint16_t version, uint32_t init_size) {
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

TEST_F(GuestMemoryNeedTest, GrowsWithTheSegmentsOfAVmlinux) {
  const uint32_t small = Need(Vmlinux({{PT_LOAD, 20 * kMib}}), 2 * kMib);
  EXPECT_EQ(Need(Vmlinux({{PT_LOAD, 20 * kMib}, {PT_NOTE, 9 * kMib}, {PT_LOAD, 10 * kMib}}), 2 * kMib), small + 10);
}

TEST_F(GuestMemoryNeedTest, CountsTheInitramfsThrice) {
  EXPECT_EQ(Need(Vmlinux({{PT_LOAD, 20 * kMib}}), 12 * kMib), Need(Vmlinux({{PT_LOAD, 20 * kMib}}), 2 * kMib) + 30);
}

TEST_F(GuestMemoryNeedTest, TakesABzImageAtItsWord) {
  EXPECT_EQ(Need(BzImage(0x20f, 20 * kMib), 2 * kMib), Need(Vmlinux({{PT_LOAD, 20 * kMib}}), 2 * kMib));
  // Older ones do not say; where it would stand is something else.
  EXPECT_EQ(Need(BzImage(0x209, 20 * kMib), 2 * kMib), Need("", 2 * kMib));
}

TEST_F(GuestMemoryNeedTest, WhatIsNoKernelCountsAsNothing) {
  const uint32_t nothing = Need("", 2 * kMib);
  EXPECT_EQ(Need("x", 2 * kMib), nothing);
  EXPECT_EQ(Need(std::string(4096, 'x'), 2 * kMib), nothing);
  EXPECT_EQ(Need(Vmlinux({{PT_LOAD, 20 * kMib}}, ELFCLASS32), 2 * kMib), nothing);
  // Its only program header is cut off.
  EXPECT_EQ(Need(Vmlinux({{PT_LOAD, 20 * kMib}}).substr(0, sizeof(Elf64_Ehdr) + 10), 2 * kMib), nothing);
  EXPECT_EQ(GuestMemoryNeedMib(root_ + "/none", root_ + "/neither"), kMinMemoryMib);
}

TEST_F(GuestMemoryNeedTest, StaysWithinWhatMachinesCanHave) {
  const uint64_t most = UINT64_MAX;
  EXPECT_EQ(Need(Vmlinux({{PT_LOAD, most}, {PT_LOAD, most}, {PT_LOAD, most}}), 2 * kMib), kMaxMemoryMib);
}

}  // namespace
}  // namespace vcd
