// SPDX-License-Identifier: Apache-2.0
#include "core/model/seccomp_program.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

v1::SeccompProfile Profile(const std::string& text) {
  v1::SeccompProfile profile;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &profile)) << text;
  return profile;
}

// What the kernel would do: runs the program over one system call. Only what libseccomp makes is understood.
uint32_t Decide(const std::string& bytes, const seccomp_data& data) {
  std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
  std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  uint32_t a = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& i = program[at];
    switch (i.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + i.k, sizeof(a));
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= i.k;
        break;
      case BPF_JMP | BPF_JA:
        at += i.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += a == i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        at += a > i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += a >= i.k ? i.jt : i.jf;
        break;
      case BPF_RET | BPF_K:
        return i.k;
      default:
        ADD_FAILURE() << "unknown instruction " << i.code;
        return 0;
    }
  }
  ADD_FAILURE() << "the program has no end";
  return 0;
}

uint32_t Decide(const std::string& program, int number, uint64_t first_argument = 0) {
  seccomp_data data{};
  data.nr = number;
  data.arch = AUDIT_ARCH_X86_64;
  data.args[0] = first_argument;
  return Decide(program, data);
}

std::string Compile(const std::string& text) {
  auto program = CompileSeccompProfile(Profile(text), "profile");
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *program : "";
}

TEST(SeccompProgramTest, DecidesByRuleAndDefault) {
  const std::string program = Compile(
      "default_action: 'SCMP_ACT_ERRNO' default_errno_ret: 38 "
      "syscalls { names: 'read' names: 'write' action: 'SCMP_ACT_ALLOW' } "
      "syscalls { names: 'mkdir' action: 'SCMP_ACT_ERRNO' } "
      "syscalls { names: 'ptrace' action: 'SCMP_ACT_KILL_PROCESS' }");
  EXPECT_EQ(Decide(program, SYS_read), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Decide(program, SYS_write), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Decide(program, SYS_mkdir), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(Decide(program, SYS_ptrace), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(Decide(program, SYS_rmdir), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST(SeccompProgramTest, ComparesArguments) {
  const std::string program = Compile(
      "default_action: 'SCMP_ACT_ALLOW' "
      "syscalls { names: 'personality' action: 'SCMP_ACT_ERRNO' errno_ret: 22 "
      "           args { index: 0 value: 0x100000002 op: 'SCMP_CMP_EQ' } } "
      "syscalls { names: 'clone' action: 'SCMP_ACT_ERRNO' "
      "           args { index: 0 value: 0x10000000 value_two: 0x10000000 op: 'SCMP_CMP_MASKED_EQ' } }");
  EXPECT_EQ(Decide(program, SYS_personality, 0x100000002), SECCOMP_RET_ERRNO | EINVAL);
  EXPECT_EQ(Decide(program, SYS_personality, 2), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Decide(program, SYS_clone, 0x10000000 | 17), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(Decide(program, SYS_clone, 17), SECCOMP_RET_ALLOW);
}

TEST(SeccompProgramTest, OtherArchitecturesEndTheProcessUnlessNamed) {
  seccomp_data data{};
  data.nr = 3;  // read, there.
  data.arch = AUDIT_ARCH_I386;
  EXPECT_EQ(Decide(Compile("default_action: 'SCMP_ACT_ALLOW'"), data), SECCOMP_RET_KILL_PROCESS);
  const std::string both = Compile(
      "default_action: 'SCMP_ACT_ERRNO' architectures: 'SCMP_ARCH_X86_64' architectures: 'SCMP_ARCH_X86' "
      "syscalls { names: 'read' action: 'SCMP_ACT_ALLOW' }");
  EXPECT_EQ(Decide(both, data), SECCOMP_RET_ALLOW);
  data.nr = 39;  // mkdir, there.
  EXPECT_EQ(Decide(both, data), SECCOMP_RET_ERRNO | EPERM);
}

TEST(SeccompProgramTest, UnknownCallsAreLeftOutOfWhatIsAllowedOnly) {
  const std::string program = Compile(
      "default_action: 'SCMP_ACT_ERRNO' syscalls { names: 'no_such_call' names: 'read' action: 'SCMP_ACT_ALLOW' }");
  EXPECT_EQ(Decide(program, SYS_read), SECCOMP_RET_ALLOW);
}

struct Wrong {
  std::string name;
  std::string profile;
  std::string field;
  std::string words;
};

class WrongProfileTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongProfileTest, IsNamed) {
  const auto program = CompileSeccompProfile(Profile(GetParam().profile), "profile");
  EXPECT_EQ(program.status().code(), absl::StatusCode::kInvalidArgument) << program.status();
  ASSERT_TRUE(DetailOf(program.status()).has_value());
  EXPECT_EQ(DetailOf(program.status())->metadata.at("field"), GetParam().field);
  EXPECT_THAT(std::string(program.status().message()), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongProfileTest,
    testing::Values(
        Wrong{"NoDefault", "", "profile.default_action", "no action"},
        Wrong{"Notify", "default_action: 'SCMP_ACT_NOTIFY'", "profile.default_action", "SCMP_ACT_NOTIFY"},
        Wrong{"Errno", "default_action: 'SCMP_ACT_ALLOW' default_errno_ret: 1", "profile.default_errno_ret", "ERRNO"},
        Wrong{"RuleAction", "default_action: 'SCMP_ACT_ALLOW' syscalls { names: 'read' action: 'DENY' }",
              "profile.syscalls[0].action", "DENY"},
        Wrong{"NoNames", "default_action: 'SCMP_ACT_ALLOW' syscalls { action: 'SCMP_ACT_ERRNO' }",
              "profile.syscalls[0].names", "is empty"},
        Wrong{"UnknownCall",
              "default_action: 'SCMP_ACT_ALLOW' syscalls { names: 'read' names: 'opne' action: 'SCMP_ACT_ERRNO' }",
              "profile.syscalls[0].names[1]", "opne"},
        Wrong{"Architecture", "default_action: 'SCMP_ACT_ALLOW' architectures: 'SCMP_ARCH_VAX'",
              "profile.architectures[0]", "SCMP_ARCH_VAX"},
        Wrong{
            "Operator",
            "default_action: 'SCMP_ACT_ALLOW' syscalls { names: 'read' action: 'SCMP_ACT_ERRNO' args { op: 'LIKE' } }",
            "profile.syscalls[0].args[0].op", "LIKE"},
        Wrong{"Index",
              "default_action: 'SCMP_ACT_ALLOW' syscalls { names: 'read' action: 'SCMP_ACT_ERRNO' args { index: 6 } }",
              "profile.syscalls[0].args[0].index", "6"},
        Wrong{"Twice",
              "default_action: 'SCMP_ACT_ALLOW' syscalls { names: 'read' action: 'SCMP_ACT_ERRNO' "
              "args { op: 'SCMP_CMP_GT' } args { op: 'SCMP_CMP_LT' } }",
              "profile.syscalls[0].args[1].index", "once"}),
    [](const testing::TestParamInfo<Wrong>& info) { return info.param.name; });

}  // namespace
}  // namespace vcd
