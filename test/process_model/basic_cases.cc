// SPDX-License-Identifier: Apache-2.0
// What a process is started with, and as whom.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "test/process_model/case_rows.h"

namespace vcd {
namespace {

// What the probe makes of it, leaving out its own name.
constexpr char kMegabyte[] = "strings=10 bytes=1048566 sum=fa457e06\n";

// A megabyte of arguments and variables, each as long as one may be.
void AddMegabyte(v1::Cmd& cmd) {
  constexpr size_t kTotal = size_t{1} << 20;
  constexpr size_t kEach = 131000;
  size_t used = 0;
  for (const std::string& argument : cmd.args()) used += argument.size();
  for (int i = 0; used < kTotal; ++i) {
    const size_t size = std::min(kEach, kTotal - used);
    if (i % 2 == 0 || size < 10) {
      cmd.add_args(std::string(size, static_cast<char>('a' + i)));
    } else {
      v1::EnvVar& variable = *cmd.add_envs();
      variable.set_name(absl::StrCat("V", i));
      variable.set_value(std::string(size - 3, static_cast<char>('a' + i)));
    }
    used += size;
  }
}

}  // namespace

void AddBasics(std::vector<ProcessCase>* rows) {
  rows->insert(rows->end(), {
                                {.name = "ArgumentsStandAsTheyAre",
                                 .probe = {"args", "a b", "", "\xc3\xa4\n", "$HOME"},
                                 .out = "[a b][][\xc3\xa4\n][$HOME]\n",
                                 .without_isolation = true},
                                {.name = "Environment",
                                 .probe = {"env", "A", "env", "EMPTY", "env", "HOME", "env", "NONE"},
                                 .out = "A=b=c\nEMPTY=\nHOME=/root\nNONE=(unset)\n",
                                 .container =
                                     [](auto& c) {
                                       v1::EnvVar& a = *c.mutable_cmd()->add_envs();
                                       a.set_name("A");
                                       a.set_value("b=c");
                                       c.mutable_cmd()->add_envs()->set_name("EMPTY");
                                     }},
                                {.name = "AMegabyteOfArgumentsAndEnvironment",
                                 .probe = {"image"},
                                 .out = kMegabyte,
                                 .container = [](auto& c) { AddMegabyte(*c.mutable_cmd()); },
                                 .without_isolation = true},
                                {.name = "AMegabyteForAnExec",
                                 .probe = {"image"},
                                 .out = kMegabyte,
                                 .exec = [](auto& cmd) { AddMegabyte(cmd); },
                                 .without_isolation = true},
                                {.name = "ASmallStackTakesFewerArguments",
                                 .probe = {"image"},
                                 .exec =
                                     [](auto& cmd) {
                                       AddMegabyte(cmd);
                                       AddLimit(cmd, "RLIMIT_STACK", 1 << 20, 1 << 20);
                                     },
                                 .refusal = "at most 262144 are possible, a quarter of RLIMIT_STACK",
                                 .without_isolation = true},
                                {.name = "OnlyTheStandardStreamsAreOpen",
                                 .probe = {"fds"},
                                 .out = "fd=0 fd=1 fd=2 \n",
                                 .without_isolation = true},
                                {.name = "AnExecHasOnlyTheStandardStreams",
                                 .probe = {"fds"},
                                 .out = "fd=0 fd=1 fd=2 \n",
                                 .exec = [](auto&) {},
                                 .without_isolation = true},
                                {.name = "TheFirstProcessIsProcessOne", .probe = {"pid"}, .out = "pid=1 session=1\n"},
                                {.name = "WorkDirectoryIsMade",
                                 .probe = {"cwd", "node", "."},
                                 .out = "cwd=/srv/new/dir\n.: d 0:0 0755 0:0\n",
                                 .container = [](auto& c) { c.mutable_cmd()->set_work_dir("/srv/new/dir"); }},
                                {.name = "WorkDirectoryIsMadeInAReadOnlyRoot",
                                 .probe = {"cwd", "node", ".", "write", "x"},
                                 .out = "cwd=/srv/new/dir\n.: d 0:0 0755 0:0\nwrite: Read-only file system\n",
                                 .container =
                                     [](auto& c) {
                                       c.mutable_rootfs()->set_readonly(true);
                                       c.mutable_cmd()->set_work_dir("/srv/new/dir");
                                     }},
                                {.name = "WorkDirectoryFollowsLinksInTheContainer",
                                 .probe = {"cwd"},
                                 .out = "cwd=/tmp\n",
                                 .container = [](auto& c) { c.mutable_cmd()->set_work_dir("/outside"); }},
                                {.name = "WorkDirectoryDoesNotLeadOut",
                                 .probe = {"cwd"},
                                 .container = [](auto& c) { c.mutable_cmd()->set_work_dir("/magic"); },
                                 .refusal = "/magic"},
                            });
}

void AddUsers(std::vector<ProcessCase>* rows) {
  rows->insert(rows->end(), {
                                {.name = "RootByDefault", .probe = {"ids"}, .out = "uid=0 gid=0 groups=\n"},
                                {.name = "UserByName",
                                 .probe = {"ids", "env", "HOME"},
                                 .out = "uid=1000 gid=1000 groups=50\nHOME=/home/alice\n",
                                 .container = [](auto& c) { c.mutable_cmd()->set_user("alice"); }},
                                {.name = "UserAndGroupByNumber",
                                 .probe = {"ids"},
                                 .out = "uid=4242 gid=77 groups=\n",
                                 .container = [](auto& c) { c.mutable_cmd()->set_user("4242:77"); }},
                                {.name = "PrimaryGroupByName",
                                 .probe = {"ids"},
                                 .out = "uid=1000 gid=50 groups=\n",
                                 .container =
                                     [](auto& c) {
                                       c.mutable_cmd()->set_user("alice");
                                       c.mutable_cmd()->set_primary_group("staff");
                                     }},
                                {.name = "SupplementaryGroups",
                                 .probe = {"ids"},
                                 .out = "uid=1000 gid=1000 groups=7,50,1000\n",
                                 .container =
                                     [](auto& c) {
                                       c.mutable_cmd()->set_user("1000");
                                       for (const char* group : {"7", "staff", "alice", "7"})
                                         c.mutable_cmd()->add_supplementary_groups(group);
                                     }},
                                {.name = "UnknownUser",
                                 .probe = {"ids"},
                                 .container = [](auto& c) { c.mutable_cmd()->set_user("bob"); },
                                 .refusal = "no user \"bob\""},
                                {.name = "UnknownGroup",
                                 .probe = {"ids"},
                                 .exec = [](auto& cmd) { cmd.add_supplementary_groups("wheel"); },
                                 .refusal = "no group \"wheel\""},
                            });
}

}  // namespace vcd
