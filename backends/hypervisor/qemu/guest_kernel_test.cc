// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/guest_kernel.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMib = 1 << 20;

Elf64_Phdr Segment(uint32_t type, uint64_t memory_bytes, uint64_t offset = 0, uint64_t file_bytes = 0) {
  Elf64_Phdr segment = {};
  segment.p_type = type;
  segment.p_memsz = memory_bytes;
  segment.p_offset = offset;
  segment.p_filesz = file_bytes;
  return segment;
}

// A note as elf(5) has it, of the owner "Xen" unless told otherwise.
std::string Note(uint32_t type, const std::string& description, const std::string& owner = "Xen") {
  const auto padded = [](std::string bytes) {
    bytes.resize((bytes.size() + 3) & ~size_t{3});
    return bytes;
  };
  const Elf64_Nhdr header = {static_cast<uint32_t>(owner.size() + 1), static_cast<uint32_t>(description.size()), type};
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + padded(owner + std::string(1, '\0')) +
         padded(description);
}

// Its headers alone.
struct Vmlinux {
  explicit Vmlinux(std::vector<Elf64_Phdr> has) : segments(std::move(has)) {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<uint16_t>(segments.size());
  }
  std::string Bytes() const {
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
    for (const Elf64_Phdr& segment : segments) bytes.append(reinterpret_cast<const char*>(&segment), sizeof(segment));
    return bytes;
  }

  Elf64_Ehdr header = {};
  std::vector<Elf64_Phdr> segments;
};

class GuestKernelTest : public testing::Test {
 protected:
  GuestKernel Read(const std::string& bytes) const {
    const std::string path = directory_.path() + "/kernel";
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return ReadGuestKernel(path);
  }

  const TemporaryDirectory directory_;
};

TEST_F(GuestKernelTest, TakesWhatTheSegmentsOfAVmlinuxDo) {
  const GuestKernel kernel = Read(
      Vmlinux({Segment(PT_LOAD, 20 * kMib, 64, 56), Segment(PT_NOTE, 9 * kMib), Segment(PT_LOAD, 10 * kMib)}).Bytes());
  EXPECT_EQ(kernel.problem, "");
  EXPECT_EQ(kernel.memory_bytes, 30 * kMib);
  EXPECT_EQ(Read(Vmlinux({Segment(PT_LOAD, 1024 * kMib)}).Bytes()).memory_bytes, 1024 * kMib) << "the most";
}

TEST_F(GuestKernelTest, FindsThePvhEntryAmongTheNotes) {
  const auto with_notes = [this](const std::string& notes) {
    Vmlinux vmlinux({Segment(PT_LOAD, kMib), Segment(PT_NOTE, 0)});
    vmlinux.segments[1].p_offset = vmlinux.Bytes().size();
    vmlinux.segments[1].p_filesz = notes.size();
    const GuestKernel kernel = Read(vmlinux.Bytes() + notes);
    EXPECT_EQ(kernel.problem, "");
    return kernel.has_pvh_entry;
  };
  constexpr uint32_t pvh = 18;
  EXPECT_TRUE(with_notes(Note(pvh, "1234")));
  EXPECT_TRUE(with_notes(Note(1, "abcde", "Linux") + Note(6, "") + Note(pvh, "1234"))) << "sizes are padded";
  EXPECT_FALSE(with_notes(""));
  EXPECT_FALSE(with_notes(Note(pvh, "1234", "Abc")));
  EXPECT_FALSE(with_notes(Note(6, "1234")));
  EXPECT_FALSE(with_notes(Note(1, std::string(64 << 10, 'x')) + Note(pvh, "1234"))) << "beyond what is read";
  std::string beyond = Note(1, "");
  const uint32_t huge = UINT32_MAX;
  std::memcpy(&beyond[0], &huge, sizeof(huge));
  EXPECT_FALSE(with_notes(beyond + Note(pvh, "1234")));
  EXPECT_FALSE(with_notes(Note(pvh, "1234").substr(0, sizeof(Elf64_Nhdr)))) << "its owner is cut off";
}

TEST_F(GuestKernelTest, TellsFormatsAndMachinesApart) {
  Vmlinux vmlinux({Segment(PT_LOAD, kMib)});
  EXPECT_EQ(Read(vmlinux.Bytes()).format, GuestKernelFormat::kVmlinux);
  EXPECT_TRUE(Read(vmlinux.Bytes()).is_x86_64);
  vmlinux.header.e_machine = EM_AARCH64;
  EXPECT_EQ(Read(vmlinux.Bytes()).format, GuestKernelFormat::kVmlinux);
  EXPECT_FALSE(Read(vmlinux.Bytes()).is_x86_64);
  EXPECT_EQ(Read(std::string(0x202, 'x') + "HdrS").format, GuestKernelFormat::kBzImage);
  EXPECT_EQ(Read(std::string(0x202, 'x') + "Hdr").format, GuestKernelFormat::kOther);
}

TEST_F(GuestKernelTest, ReadsWhatIsGivenToIt) {
  const std::string bytes = Vmlinux({Segment(PT_LOAD, 20 * kMib)}).Bytes();
  const GuestKernelFile file = {bytes.size(),
                                [&](uint64_t offset, size_t max_bytes) { return bytes.substr(offset, max_bytes); }};
  EXPECT_EQ(ReadGuestKernel(file).memory_bytes, 20 * kMib);
  const GuestKernelFile fails = {
      bytes.size(), [&](uint64_t offset, size_t max_bytes) { return offset == 0 ? bytes.substr(0, max_bytes) : ""; }};
  EXPECT_THAT(ReadGuestKernel(fails).problem, HasSubstr("its program headers cannot be read"));
}

TEST_F(GuestKernelTest, TakesABzImageAtItsWord) {
  const auto bz_image = [](uint16_t version, uint32_t init_size) {
    std::string bytes(4096, '\0');
    bytes.replace(0x202, 4, "HdrS");
    std::memcpy(&bytes[0x206], &version, sizeof(version));
    std::memcpy(&bytes[0x260], &init_size, sizeof(init_size));
    return bytes;
  };
  EXPECT_EQ(Read(bz_image(0x20f, 20 * kMib)).memory_bytes, 20 * kMib);
  // Older ones do not say; where it would stand is something else.
  EXPECT_EQ(Read(bz_image(0x209, 20 * kMib)).memory_bytes, 0u);
  EXPECT_EQ(Read(bz_image(0x209, 20 * kMib)).problem, "");
}

TEST_F(GuestKernelTest, AnotherFileSaysNothing) {
  Vmlinux of_32_bits({Segment(PT_LOAD, 20 * kMib)});
  of_32_bits.header.e_ident[EI_CLASS] = ELFCLASS32;
  for (const std::string& bytes : {std::string(), std::string("x"), std::string(4096, 'x'), of_32_bits.Bytes()}) {
    const GuestKernel kernel = Read(bytes);
    EXPECT_EQ(kernel.problem, "");
    EXPECT_EQ(kernel.memory_bytes, 0u);
    EXPECT_FALSE(kernel.is_x86_64);
  }
  EXPECT_EQ(ReadGuestKernel(directory_.path() + "/none").problem, "");
  EXPECT_EQ(ReadGuestKernel(directory_.path()).problem, "");
}

TEST_F(GuestKernelTest, AnElfFileThatCanBeNoneIsToldHow) {
  const std::vector<Elf64_Phdr> good = {Segment(PT_NOTE, 0), Segment(PT_LOAD, 20 * kMib, 64, 112)};
  const std::string whole = Vmlinux(good).Bytes();
  ASSERT_EQ(Read(whole).problem, "");
  const auto with = [&good](void (*change)(Elf64_Ehdr&)) {
    Vmlinux vmlinux(good);
    change(vmlinux.header);
    return vmlinux.Bytes();
  };
  const std::pair<std::string, const char*> cases[] = {
      {whole.substr(0, SELFMAG), "ends within its ELF header"},
      {whole.substr(0, sizeof(Elf64_Ehdr) - 1), "ends within its ELF header"},
      {whole.substr(0, sizeof(Elf64_Ehdr) + 10), "program headers are beyond the end of the file, of 74 bytes"},
      {whole.substr(0, whole.size() - 1), "program headers are beyond the end of the file"},
      {with([](Elf64_Ehdr& header) { header.e_phoff = 1 << 20; }), "program headers are beyond"},
      {with([](Elf64_Ehdr& header) { header.e_phoff = UINT64_MAX; }), "program headers are beyond"},
      {with([](Elf64_Ehdr& header) { header.e_phentsize = 1; }), "2 program headers of 1 bytes, not 56"},
      {with([](Elf64_Ehdr& header) { header.e_phentsize = 57; }), "2 program headers of 57 bytes, not 56"},
      {with([](Elf64_Ehdr& header) { header.e_phnum = 65; }), "65 program headers of 56 bytes"},
      {with([](Elf64_Ehdr& header) { header.e_phnum = 0; }), "it has no program headers"},
      {with([](Elf64_Ehdr& header) { header.e_phnum = 1; }), "it has no segment to load"},
      {Vmlinux({Segment(PT_LOAD, kMib, 64, 57)}).Bytes(), "segment 0 is beyond the end of the file, of 120 bytes"},
      {Vmlinux({Segment(PT_NOTE, kMib, UINT64_MAX, 2)}).Bytes(), "segment 0 is beyond the end of the file"},
      {Vmlinux({Segment(PT_LOAD, kMib, 2, UINT64_MAX)}).Bytes(), "segment 0 is beyond the end of the file"},
      {Vmlinux({Segment(PT_LOAD, 8, 64, 9)}).Bytes(), "segment 0 has 9 bytes in the file and 8 in memory"},
      {Vmlinux({Segment(PT_LOAD, UINT64_MAX)}).Bytes(),
       "18446744073709551615 in memory, where a kernel has 1073741824"},
      {Vmlinux({Segment(PT_LOAD, kMib), Segment(PT_LOAD, 1024 * kMib)}).Bytes(), "segment 1 has 0 bytes"},
  };
  for (const auto& [bytes, problem] : cases) {
    const GuestKernel kernel = Read(bytes);
    EXPECT_THAT(kernel.problem, HasSubstr("is damaged or no kernel: "));
    EXPECT_THAT(kernel.problem, HasSubstr(problem));
    EXPECT_EQ(kernel.memory_bytes, 0u) << problem;
  }
}

}  // namespace
}  // namespace vcd
