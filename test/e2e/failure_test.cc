// SPDX-License-Identifier: Apache-2.0
// Bad input: the right code, the object named, a next step told, nothing left behind (E2eTest checks that).
#include <signal.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

template <typename T>
void Append(T value, std::string* to) {
  to->append(reinterpret_cast<const char*>(&value), sizeof value);
}

// The smallest kernel that QEMU starts: a 64-bit ELF with a PVH entry note (elf(5), Xen's PHYS32_ENTRY) whose code
// jumps to itself for ever.
std::string EndlessLoopKernel() {
  constexpr uint64_t kLoadAddress = 0x100000;
  constexpr uint64_t kHeaders = 64 + 2 * 56;
  constexpr uint64_t kNoteSize = 12 + 4 + 8;
  constexpr uint64_t kEntry = kLoadAddress + kHeaders + kNoteSize;
  std::string elf(
      "\x7f"
      "ELF\x02\x01\x01",
      7);
  elf.resize(16, '\0');
  Append<uint16_t>(2, &elf);   // ET_EXEC
  Append<uint16_t>(62, &elf);  // EM_X86_64
  Append<uint32_t>(1, &elf);
  Append<uint64_t>(kEntry, &elf);
  Append<uint64_t>(64, &elf);  // Program headers follow this header.
  Append<uint64_t>(0, &elf);
  Append<uint32_t>(0, &elf);
  for (const uint16_t value : {64, 56, 2, 64, 0, 0}) Append<uint16_t>(value, &elf);
  const auto add_program_header = [&elf](uint32_t type, uint64_t offset, uint64_t size, uint64_t align) {
    Append<uint32_t>(type, &elf);
    Append<uint32_t>(5, &elf);  // Read, execute.
    Append<uint64_t>(offset, &elf);
    Append<uint64_t>(kLoadAddress + offset, &elf);
    Append<uint64_t>(kLoadAddress + offset, &elf);
    Append<uint64_t>(size, &elf);
    Append<uint64_t>(size, &elf);
    Append<uint64_t>(align, &elf);
  };
  add_program_header(1, 0, kHeaders + kNoteSize + 2, 4096);  // PT_LOAD
  add_program_header(4, kHeaders, kNoteSize, 4);             // PT_NOTE
  Append<uint32_t>(4, &elf);
  Append<uint32_t>(8, &elf);
  Append<uint32_t>(18, &elf);  // XEN_ELFNOTE_PHYS32_ENTRY
  elf.append("Xen\0", 4);
  Append<uint64_t>(kEntry, &elf);
  elf.append("\xeb\xfe", 2);  // jmp .
  return elf;
}

class FailureTest : public E2eTest {
 protected:
  using E2eTest::E2eTest;

  std::string WriteFile(const std::string& name, const std::string& content) {
    const std::string path = daemon().directory() + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  // `vc run` that fails before the command runs.
  std::string RunFails(const std::vector<std::string>& options) {
    const ProgramResult result = RunIn(image(), options, {"true"});
    EXPECT_THAT(result, ExitsWith(125));
    EXPECT_EQ(result.out, "");
    return result.err;
  }
};

TEST_F(FailureTest, RefusesBadIds) {
  const std::string long_id(65, 'x');
  for (const std::string& id :
       {std::string("../x"), std::string("a/b"), long_id, std::string("-x"), std::string("a b")}) {
    EXPECT_THAT(RunFails({"--id=" + id}), HasSubstr("id")) << id;
    for (const std::string verb : {"inspect", "stop", "rm", "start"}) {
      const ProgramResult result = Vc({verb, "--", id});
      EXPECT_THAT(result, ExitsWith(1)) << verb << " " << id;
      EXPECT_THAT(result.err, HasSubstr(id));
    }
  }
  EXPECT_THAT(RunFails({"--container-id", "../x"}), HasSubstr("containers"));
}

TEST_F(FailureTest, UnknownPodIsNamed) {
  for (const std::string verb : {"inspect", "stop", "rm", "start", "logs", "wait"}) {
    const ProgramResult result = Vc({verb, "nobody"});
    EXPECT_THAT(result, ExitsWith(1)) << verb;
    EXPECT_THAT(result.err, HasSubstr("nobody")) << verb;
  }
  EXPECT_THAT(Exec("nobody", {"true"}), ExitsWith(125));
}

TEST_F(FailureTest, UnknownBackendListsTheKnownOnes) {
  EXPECT_THAT(RunFails({"--hypervisor", "xen"}), AllOf(HasSubstr("xen"), HasSubstr("qemu")));
  EXPECT_THAT(RunFails({"--agent", "ghost"}), AllOf(HasSubstr("ghost"), HasSubstr("native")));
  EXPECT_THAT(RunFails({"--network", "token-ring"}), AnyOf(HasSubstr("token-ring"), HasSubstr("\"cni\" is unknown")));
}

TEST_F(FailureTest, MissingFilesAreNamed) {
  EXPECT_THAT(RunFails({"--kernel", "/nowhere/vmlinux"}), HasSubstr("/nowhere/vmlinux"));
  EXPECT_THAT(RunFails({"--initrd", "/nowhere/initramfs"}), HasSubstr("/nowhere/initramfs"));
  const ProgramResult rootfs = RunIn("/nowhere/rootfs", {}, {"true"});
  EXPECT_THAT(rootfs, ExitsWith(125));
  EXPECT_THAT(rootfs.err, HasSubstr("/nowhere/rootfs"));
}

TEST_F(FailureTest, ImageThatIsADirectoryOrNoFileSystemIsRefused) {
  const auto run_image = [this](const std::string& path) {
    return Vc({"run", "--rm", "-f", "-"}, R"({"containers": [{"id": "main", "rootfs": {"image": {"path": ")" + path +
                                              R"("}}, "cmd": {"args": ["true"]}}]})");
  };
  const ProgramResult of_directory = run_image(directory());
  EXPECT_THAT(of_directory, ExitsWith(125));
  EXPECT_THAT(of_directory.err, AllOf(HasSubstr(directory()), HasSubstr("directory")));

  const std::string text = WriteFile("text.img", std::string(1 << 16, 'x'));
  const ProgramResult of_text = run_image(text);
  EXPECT_THAT(of_text, ExitsWith(125));
  EXPECT_THAT(of_text.err, AllOf(HasSubstr(text), HasSubstr("erofs")));
}

TEST_F(FailureTest, KernelThatQemuRefusesIsReportedInQemusWords) {
  const std::string kernel = WriteFile("garbage-kernel", std::string(1 << 16, 'x'));
  const std::string error = RunFails({"--kernel", kernel});
  EXPECT_THAT(error, AllOf(HasSubstr("qemu"), AnyOf(HasSubstr("kernel"), HasSubstr("PVH"))));
}

TEST_F(FailureTest, GuestThatPanicsIsReportedInItsConsolesWords) {
  // An empty initramfs: the kernel has no init to run.
  const std::string initrd = WriteFile("empty-initrd", std::string(512, '\0'));
  EXPECT_THAT(RunFails({"--initrd", initrd}), HasSubstr("the guest's kernel panicked: Kernel panic - not syncing"));
}

TEST_F(FailureTest, LeastMemoryBootsAndLessIsRefused) {
  const std::string refusal = RunFails({"--memory", "33"});
  ASSERT_THAT(refusal, HasSubstr("33 MiB are too little for the guest to boot; give it "));
  const int least = std::atoi(refusal.substr(refusal.find("give it ") + 8).c_str());
  EXPECT_THAT(RunFails({"--memory", std::to_string(least - 1)}), HasSubstr("MiB are too little"));
  EXPECT_THAT(RunIn(image(), {"--memory", std::to_string(least)}, {"echo", "hello"}), ExitsWith(0));
}

TEST_F(FailureTest, KernelThatPanicsUnderARunningPodFailsIt) {
  // A container may be given what is kept from others, such as the key that crashes the kernel.
  const std::string file =
      WriteFile("open.json", R"({"containers": [{"id": "main", "linux": {"readonlyPaths": {}}}]})");
  const auto events = daemon().StartVc({"events", "--pod", "sick"});
  Must({"run", "-d", "--id", "sick", "-f", file, "--rootfs", image(), "--", "sleep", "1000"});
  EXPECT_THAT(Exec("sick", {"sh", "-c", "echo c > /proc/sysrq-trigger"}), ExitsWith(125));
  EXPECT_TRUE(events->WaitForOutput("pod_failed sick"));
  EXPECT_THAT(Must({"inspect", "sick"}), AllOf(HasSubstr("POD_STATE_FAILED"), HasSubstr("kernel panic")));
  events->Signal(SIGINT);
  events->Finish();
  Must({"rm", "-f", "sick"});
}

class BootTimeoutTest : public FailureTest {
 protected:
  BootTimeoutTest() : FailureTest({"--boot-timeout", "2"}) {}
};

TEST_F(BootTimeoutTest, KernelThatNeverBootsIsGivenUpInTime) {
  const std::string error = RunFails({"--kernel", WriteFile("endless-kernel", EndlessLoopKernel())});
  EXPECT_THAT(error, AllOf(HasSubstr("guest"), HasSubstr("boot within 2s"), HasSubstr("--boot-timeout")));
}

}  // namespace
}  // namespace vcd
