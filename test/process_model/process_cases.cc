// SPDX-License-Identifier: Apache-2.0
#include "test/process_model/process_cases.h"

#include <errno.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "test/e2e/rootfs_fixture.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr char kProbe[] = "/bin/probe";
constexpr char kDefaultSet[] = "00000000a80425fb";
constexpr char kNoSet[] = "0000000000000000";

void AddLimit(v1::Cmd& cmd, const std::string& type, uint64_t soft, uint64_t hard) {
  v1::Rlimit& limit = *cmd.add_rlimits();
  limit.set_type(type);
  limit.set_soft(soft);
  limit.set_hard(hard);
}

v1::Mount& AddMount(v1::ContainerConfig& c, const std::string& type, const std::string& destination,
                    const std::vector<std::string>& options = {}) {
  v1::Mount& mount = *c.add_mounts();
  mount.set_type(type);
  mount.set_destination(destination);
  for (const std::string& option : options) mount.add_options(option);
  return mount;
}

v1::Device& AddDevice(v1::ContainerConfig& c, const std::string& path, const std::string& type, int major, int minor) {
  v1::Device& device = *c.add_devices();
  device.set_container_path(path);
  device.set_type(type);
  device.set_major(major);
  device.set_minor(minor);
  return device;
}

void Deny(v1::ContainerConfig& c, const std::string& call, const std::string& action, int errno_ret = 0) {
  v1::SeccompProfile& profile = *c.mutable_linux()->mutable_seccomp();
  profile.set_default_action("SCMP_ACT_ALLOW");
  v1::SeccompRule& rule = *profile.add_syscalls();
  rule.add_names(call);
  rule.set_action(action);
  if (errno_ret != 0) rule.set_errno_ret(static_cast<uint32_t>(errno_ret));
}

// Sets of root: what it may have at most, the bounding set, is what execve(2) gives it.
void Bound(v1::Cmd& cmd, const std::vector<std::string>& names) {
  v1::LinuxCapabilities& sets = *cmd.mutable_capabilities();
  for (const std::string& name : names) {
    sets.add_bounding(name);
    sets.add_permitted(name);
    sets.add_effective(name);
  }
}

std::string AllSets(const std::string& bounding, const std::string& rest) {
  return absl::StrCat("bnd=", bounding, " prm=", rest, " eff=", rest, " inh=", kNoSet, " amb=", kNoSet, "\n");
}

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

// What the probe makes of it, leaving out its own name.
constexpr char kMegabyte[] = "strings=10 bytes=1048566 sum=fa457e06\n";

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

void AddCapabilities(std::vector<ProcessCase>* rows) {
  rows->insert(rows->end(),
               {
                   {.name = "DefaultCapabilities", .probe = {"caps"}, .out = AllSets(kDefaultSet, kDefaultSet)},
                   {.name = "CapabilitiesOfAnOrdinaryUser",
                    .probe = {"caps"},
                    .out = AllSets(kDefaultSet, kNoSet),
                    .container = [](auto& c) { c.mutable_cmd()->set_user("alice"); }},
                   {.name = "BoundingSet",
                    .probe = {"caps"},
                    .out = AllSets("0000000000000021", "0000000000000021"),
                    .container =
                        [](auto& c) {
                          Bound(*c.mutable_cmd(), {"CAP_CHOWN", "CAP_KILL"});
                        }},
                   {.name = "NoCapabilitiesAtAll",
                    .probe = {"caps", "ids"},
                    .out = AllSets(kNoSet, kNoSet) + "uid=0 gid=0 groups=\n",
                    .container = [](auto& c) { c.mutable_cmd()->mutable_capabilities(); }},
                   {.name = "AmbientCapabilitiesReachAnOrdinaryUser",
                    .probe = {"caps", "ids"},
                    .out = "bnd=0000000000000400 prm=0000000000000400 eff=0000000000000400 inh=0000000000000400 "
                           "amb=0000000000000400\nuid=1000 gid=1000 groups=50\n",
                    .container =
                        [](auto& c) {
                          Bound(*c.mutable_cmd(), {"CAP_NET_BIND_SERVICE"});
                          c.mutable_cmd()->mutable_capabilities()->add_inheritable("CAP_NET_BIND_SERVICE");
                          c.mutable_cmd()->mutable_capabilities()->add_ambient("CAP_NET_BIND_SERVICE");
                          c.mutable_cmd()->set_user("alice");
                        }},
                   {.name = "WithNoNewPrivilegesRootHasWhatIsPermitted",
                    .probe = {"caps", "privileges"},
                    .out = "bnd=0000000000000021 prm=0000000000000020 eff=0000000000000020 inh=0000000000000000 "
                           "amb=0000000000000000\nnnp=1 seccomp=0 securebits=0\n",
                    .container =
                        [](auto& c) {
                          Bound(*c.mutable_cmd(), {"CAP_KILL"});
                          c.mutable_cmd()->mutable_capabilities()->add_bounding("CAP_CHOWN");
                          c.mutable_cmd()->set_no_new_privileges(true);
                        }},
                   {.name = "AnExecHasTheContainersCapabilities",
                    .probe = {"caps"},
                    .out = AllSets("0000000000000021", "0000000000000021"),
                    .container =
                        [](auto& c) {
                          Bound(*c.mutable_cmd(), {"CAP_CHOWN", "CAP_KILL"});
                        },
                    .exec = [](auto&) {}},
                   {.name = "AnExecCanHaveFewerCapabilities",
                    .probe = {"caps"},
                    .out = AllSets("0000000000000020", "0000000000000020"),
                    .exec = [](auto& cmd) { Bound(cmd, {"CAP_KILL"}); }},
                   {.name = "AnExecCannotHaveMoreCapabilities",
                    .probe = {"caps"},
                    .exec =
                        [](auto& cmd) {
                          Bound(cmd, {"CAP_KILL", "CAP_SYS_ADMIN"});
                        },
                    .refusal = "CAP_SYS_ADMIN is not in the bounding set of the container"},
               });
}

void AddRestrictions(std::vector<ProcessCase>* rows) {
  const auto limited = [](v1::ContainerConfig& c) { AddLimit(*c.mutable_cmd(), "RLIMIT_NOFILE", 100, 200); };
  rows->insert(
      rows->end(),
      {
          {.name = "ResourceLimits",
           .probe = {"limit", "nofile", "limit", "core"},
           .out = "nofile=100:200\ncore=0:0\n",
           .container =
               [limited](auto& c) {
                 limited(c);
                 AddLimit(*c.mutable_cmd(), "RLIMIT_CORE", 0, 0);
               },
           .without_isolation = true},
          {.name = "ALimitOfAlmostNothing",
           .probe = {"limit", "nofile"},
           .out = "nofile=3:3\n",
           .container = [](auto& c) { AddLimit(*c.mutable_cmd(), "RLIMIT_NOFILE", 3, 3); },
           .without_isolation = true},
          {.name = "ARaisedLimit",
           .probe = {"limit", "nofile"},
           .out = "nofile=1000000:1000000\n",
           .container = [](auto& c) { AddLimit(*c.mutable_cmd(), "RLIMIT_NOFILE", 1000000, 1000000); },
           .may_be_refused = "set RLIMIT_NOFILE to 1000000:1000000 from",
           .without_isolation = true},
          {.name = "AnExecHasTheContainersLimits",
           .probe = {"limit", "nofile"},
           .out = "nofile=100:200\n",
           .container = limited,
           .exec = [](auto&) {},
           .without_isolation = true},
          {.name = "AnExecCanLowerLimits",
           .probe = {"limit", "nofile"},
           .out = "nofile=50:60\n",
           .container = limited,
           .exec = [](auto& cmd) { AddLimit(cmd, "RLIMIT_NOFILE", 50, 60); },
           .without_isolation = true},
          {.name = "AnExecCannotRaiseLimits",
           .probe = {"limit", "nofile"},
           .container = limited,
           .exec = [](auto& cmd) { AddLimit(cmd, "RLIMIT_NOFILE", 100, 201); },
           .refusal = "the hard RLIMIT_NOFILE of 201 is above 200, that of the container",
           .without_isolation = true},
          {.name = "OomScore",
           .probe = {"oom"},
           .out = "oom=700\n",
           .container = [](auto& c) { c.mutable_cmd()->set_oom_score_adj(700); },
           .without_isolation = true},
          {.name = "OomScoreOfOneThatIsSpared",
           .probe = {"oom"},
           .out = "oom=-500\n",
           .container = [](auto& c) { c.mutable_cmd()->set_oom_score_adj(-500); },
           .may_be_refused = "set oom_score_adj to -500 from",
           .without_isolation = true},
          {.name = "AnExecHasTheContainersOomScore",
           .probe = {"oom"},
           .out = "oom=700\n",
           .container = [](auto& c) { c.mutable_cmd()->set_oom_score_adj(700); },
           .exec = [](auto&) {},
           .without_isolation = true},
          {.name = "AnExecCannotBeSparedMore",
           .probe = {"oom"},
           .container = [](auto& c) { c.mutable_cmd()->set_oom_score_adj(700); },
           .exec = [](auto& cmd) { cmd.set_oom_score_adj(699); },
           .refusal = "the oom_score_adj of 699 is below 700, that of the container",
           .without_isolation = true},
          {.name = "UsualUmask", .probe = {"umask"}, .out = "umask=0022\n", .without_isolation = true},
          {.name = "Umask",
           .probe = {"umask"},
           .out = "umask=0077\n",
           .container = [](auto& c) { c.mutable_cmd()->set_umask(077); },
           .without_isolation = true},
          {.name = "AnExecHasTheContainersUmask",
           .probe = {"umask"},
           .out = "umask=0000\n",
           .container = [](auto& c) { c.mutable_cmd()->set_umask(0); },
           .exec = [](auto&) {},
           .without_isolation = true},
          {.name = "NoNewPrivileges",
           .probe = {"privileges"},
           .out = "nnp=1 seccomp=0 securebits=0\n",
           .container = [](auto& c) { c.mutable_cmd()->set_no_new_privileges(true); },
           .without_isolation = true},
          {.name = "AnExecHasTheContainersNoNewPrivileges",
           .probe = {"privileges"},
           .out = "nnp=1 seccomp=0 securebits=0\n",
           .container = [](auto& c) { c.mutable_cmd()->set_no_new_privileges(true); },
           .exec = [](auto&) {},
           .without_isolation = true},
          {.name = "PrivilegesAreLeftByDefault", .probe = {"privileges"}, .out = "nnp=0 seccomp=0 securebits=0\n"},
      });
}

void AddSeccomp(std::vector<ProcessCase>* rows) {
  const auto no_mkdir = [](v1::ContainerConfig& c) { Deny(c, "mkdir", "SCMP_ACT_ERRNO", EXDEV); };
  rows->insert(rows->end(),
               {
                   {.name = "SeccompRefusesACall",
                    .probe = {"privileges", "mkdir", "/tmp/x", "caps"},
                    .out = absl::StrCat("nnp=0 seccomp=2 securebits=0\nmkdir: Invalid cross-device link\n",
                                        AllSets(kDefaultSet, kDefaultSet)),
                    .container = no_mkdir},
                   {.name = "SeccompForAnOrdinaryUser",
                    .probe = {"privileges", "mkdir", "/tmp/x", "caps"},
                    .out = absl::StrCat("nnp=0 seccomp=2 securebits=0\nmkdir: Invalid cross-device link\n",
                                        AllSets(kDefaultSet, kNoSet)),
                    .container =
                        [no_mkdir](auto& c) {
                          no_mkdir(c);
                          c.mutable_cmd()->set_user("alice");
                        }},
                   {.name = "SeccompWithNoNewPrivileges",
                    .probe = {"privileges", "mkdir", "/tmp/x"},
                    .out = "nnp=1 seccomp=2 securebits=0\nmkdir: Invalid cross-device link\n",
                    .container =
                        [no_mkdir](auto& c) {
                          no_mkdir(c);
                          c.mutable_cmd()->set_no_new_privileges(true);
                        },
                    .without_isolation = true},
                   {.name = "SeccompMayForbidWhatTheAgentItselfDoes",
                    .probe = {"privileges"},
                    .out = "nnp=0 seccomp=2 securebits=0\n",
                    .container =
                        [](auto& c) {
                          for (const char* call : {"setuid", "setresuid", "setgroups", "capset", "chdir", "fchdir",
                                                   "mount", "umask", "openat2", "setsid", "seccomp", "close_range"}) {
                            Deny(c, call, "SCMP_ACT_KILL_PROCESS");
                          }
                        }},
                   {.name = "SeccompEndsTheProcess",
                    .probe = {"mkdir", "/tmp/x"},
                    .out = "",
                    .container = [](auto& c) { Deny(c, "mkdir", "SCMP_ACT_KILL_PROCESS"); },
                    .exit_code = 128 + 31},
                   {.name = "AnExecHasTheContainersFilter",
                    .probe = {"privileges", "mkdir", "/tmp/x"},
                    .out = "nnp=0 seccomp=2 securebits=0\nmkdir: Invalid cross-device link\n",
                    .container = no_mkdir,
                    .exec = [](auto&) {}},
                   {.name = "AnExecOfAnOrdinaryUserHasTheFilterToo",
                    .probe = {"privileges", "mkdir", "/tmp/x"},
                    .out = "nnp=1 seccomp=2 securebits=0\nmkdir: Invalid cross-device link\n",
                    .container = no_mkdir,
                    .exec =
                        [](auto& cmd) {
                          cmd.set_user("alice");
                          cmd.set_no_new_privileges(true);
                        }},
               });
}

void AddFiles(std::vector<ProcessCase>* rows) {
  rows->insert(
      rows->end(),
      {
          {.name = "ReadOnlyRoot",
           .probe = {"write", "/x", "write", "/dev/shm/x", "write", "/etc/hosts", "read", "/etc/hosts"},
           .out = AllOf(HasSubstr("write: Read-only file system\nwrite: ok\nwrite: Read-only file system\n"),
                        HasSubstr("10.9.8.7\tdb db.example\n")),
           .container = [](auto& c) { c.mutable_rootfs()->set_readonly(true); }},
          {.name = "Hostname", .probe = {"hostname"}, .out = "hostname=model-pod\n"},
          {.name = "HostsAndResolvConf",
           .probe = {"read", "/etc/hosts", "read", "/etc/resolv.conf", "read", "/run/resolve/stub.conf"},
           .out = AllOf(HasSubstr("127.0.0.1\tlocalhost\n"), HasSubstr("127.0.1.1\tmodel-pod\n"),
                        HasSubstr("10.9.8.7\tdb db.example\n"), HasSubstr("search a.example\nnameserver 10.9.8.1\n"),
                        EndsWith("options ndots:3\n"))},
          {.name = "UsualMaskedAndReadOnlyPaths",
           .probe = {"mount", "/proc/sys", "mount", "/proc/kcore", "bytes", "/proc/kcore", "write",
                     "/proc/sys/kernel/msgmax"},
           .out = MatchesRegex("/proc/sys: proc ro,[a-z,]*\n/proc/kcore: (none|tmpfs [a-z,]*)\n/proc/kcore: 0 bytes\n"
                               "write: Read-only file system\n")},
          {.name = "MaskedPathsDoNotLeadOut",
           .probe = {"ids"},
           .container = [](auto& c) { c.mutable_linux()->mutable_masked_paths()->add_paths("/magic/etc"); },
           .refusal = "/magic/etc"},
          {.name = "MaskedFilesAndDirectories",
           .probe = {"bytes", "/etc/plain", "node", "/home/alice", "write", "/home/x", "mount", "/proc/kcore"},
           .out = "/etc/plain: 0 bytes\n/home/alice: No such file or directory\nwrite: Read-only file system\n"
                  "/proc/kcore: none\n",
           .container =
               [](auto& c) {
                 for (const char* path : {"/etc/plain", "/home", "/no/such"}) {
                   c.mutable_linux()->mutable_masked_paths()->add_paths(path);
                 }
               }},
          {.name = "OtherReadOnlyPaths",
           .probe = {"write", "/home/x", "write", "/tmp/x", "mount", "/proc/sys"},
           .out = "write: Read-only file system\nwrite: ok\n/proc/sys: none\n",
           .container = [](auto& c) { c.mutable_linux()->mutable_readonly_paths()->add_paths("/home"); }},
          {.name = "Sysctls",
           .probe = {"read", "/proc/sys/kernel/msgmax", "read", "/proc/sys/fs/mqueue/msg_max"},
           .out = "4096\n20\n",
           .container =
               [](auto& c) {
                 (*c.mutable_linux()->mutable_sysctls())["kernel.msgmax"] = "4096";
                 (*c.mutable_linux()->mutable_sysctls())["fs.mqueue.msg_max"] = "20";
               }},
          {.name = "UnknownSysctl",
           .probe = {"ids"},
           .container = [](auto& c) { (*c.mutable_linux()->mutable_sysctls())["kernel.shm_no_such"] = "1"; },
           .refusal = "no sysctl \"kernel.shm_no_such\""},
          {.name = "UsualSharedMemory", .probe = {"size", "/dev/shm"}, .out = "/dev/shm: 67108864 bytes\n"},
          {.name = "SharedMemory",
           .probe = {"size", "/dev/shm", "node", "/dev/shm"},
           .out = "/dev/shm: 1048576 bytes\n/dev/shm: d 0:0 1777 0:0\n",
           .container = [](auto& c) { c.mutable_linux()->set_shm_size_bytes(1 << 20); }},
          {.name = "TmpfsWithOptions",
           .probe = {"mount", "/cache/deep", "size", "/cache/deep", "node", "/cache/deep"},
           .out = AllOf(HasSubstr("/cache/deep: tmpfs rw,nosuid,nodev,noexec,"),
                        HasSubstr("/cache/deep: 65536 bytes\n/cache/deep: d 0:0 0700 0:0\n")),
           .container =
               [](auto& c) {
                 AddMount(c, "tmpfs", "/cache/deep", {"nosuid", "nodev", "noexec", "size=64k", "mode=700"});
               }},
          {.name = "ReadOnlyTmpfs",
           .probe = {"write", "/cache/x"},
           .out = "write: Read-only file system\n",
           .container = [](auto& c) { AddMount(c, "tmpfs", "/cache", {"ro"}); }},
          {.name = "OtherGuestFileSystems",
           .probe = {"mount", "/m/proc", "mount", "/m/sys", "mount", "/m/mq", "mount", "/m/pts"},
           .out = MatchesRegex("/m/proc: proc rw,[a-z,]*\n/m/sys: sysfs ro,[a-z,]*\n/m/mq: mqueue [a-z,]*\n"
                               "/m/pts: devpts [a-z,]*\n"),
           .container =
               [](auto& c) {
                 AddMount(c, "proc", "/m/proc");
                 AddMount(c, "sysfs", "/m/sys", {"ro"});
                 AddMount(c, "mqueue", "/m/mq");
                 AddMount(c, "devpts", "/m/pts");
               }},
          {.name = "MountsStayInTheContainer",
           .probe = {"mount", "/tmp"},
           .out = MatchesRegex("/tmp: tmpfs [a-z,]*\n"),
           .container = [](auto& c) { AddMount(c, "tmpfs", "/outside"); }},
          {.name = "WrongMountOption",
           .probe = {"ids"},
           .container = [](auto& c) { AddMount(c, "tmpfs", "/cache", {"size=much"}); },
           .refusal = "mount on /cache: make a file system of type tmpfs: option \"size=much\""},
          {.name = "ProcIsNotCovered",
           .probe = {"ids"},
           .container = [](auto& c) { AddMount(c, "tmpfs", "/proc/fs"); },
           .refusal = "only a proc file system can be mounted on /proc"},
      });
}

void AddDevices(std::vector<ProcessCase>* rows) {
  rows->insert(rows->end(),
               {
                   {.name = "StandardDevices",
                    .probe = {"node", "/dev/null", "node", "/dev/zero", "node", "/dev/full", "node", "/dev/random",
                              "node", "/dev/urandom", "node", "/dev/tty"},
                    .out = "/dev/null: c 1:3 0666 0:0\n/dev/zero: c 1:5 0666 0:0\n/dev/full: c 1:7 0666 0:0\n"
                           "/dev/random: c 1:8 0666 0:0\n/dev/urandom: c 1:9 0666 0:0\n/dev/tty: c 5:0 0666 0:0\n"},
                   {.name = "StandardLinksAndMounts",
                    .probe = {"node", "/dev/fd", "node", "/dev/stdin", "node", "/dev/stdout", "node", "/dev/stderr",
                              "node", "/dev/ptmx", "mount", "/dev/pts", "mount", "/dev/shm", "mount", "/dev/mqueue"},
                    .out = MatchesRegex("/dev/fd: l .*/dev/stdin: l .*/dev/stdout: l .*/dev/stderr: l .*/dev/ptmx: l .*"
                                        "/dev/pts: devpts .*/dev/shm: tmpfs .*/dev/mqueue: mqueue .*")},
                   {.name = "MoreDevices",
                    .probe = {"node", "/dev/net/tun", "node", "/dev/disk", "node", "/dev/fifo", "node", "/dev/null"},
                    .out = "/dev/net/tun: c 10:200 0640 1000:50\n/dev/disk: b 7:1 0666 0:0\n/dev/fifo: p 0:0 0600 0:0\n"
                           "/dev/null: c 1:3 0600 0:0\n",
                    .container =
                        [](auto& c) {
                          v1::Device& tun = AddDevice(c, "/dev/net/tun", "c", 10, 200);
                          tun.set_file_mode(0640);
                          tun.set_uid(1000);
                          tun.set_gid(50);
                          AddDevice(c, "/dev/disk", "b", 7, 1);
                          AddDevice(c, "/dev/fifo", "p", 0, 0).set_file_mode(0600);
                          AddDevice(c, "/dev/null", "c", 1, 3).set_file_mode(0600);
                        }},
               });
}

}  // namespace

std::vector<ProcessCase> ProcessCases() {
  std::vector<ProcessCase> rows;
  AddBasics(&rows);
  AddUsers(&rows);
  AddCapabilities(&rows);
  AddRestrictions(&rows);
  AddSeccomp(&rows);
  AddFiles(&rows);
  AddDevices(&rows);
  return rows;
}

v1::PodConfig ProcessCasesPod() {
  v1::PodConfig pod;
  pod.set_hostname("model-pod");
  pod.mutable_dns()->add_servers("10.9.8.1");
  pod.mutable_dns()->add_searches("a.example");
  pod.mutable_dns()->add_options("ndots:3");
  v1::HostAlias& alias = *pod.add_host_aliases();
  alias.set_ip("10.9.8.7");
  alias.add_hostnames("db");
  alias.add_hostnames("db.example");
  return pod;
}

v1::ContainerConfig ContainerOf(const ProcessCase& row) {
  v1::ContainerConfig config;
  v1::Cmd& cmd = *config.mutable_cmd();
  if (row.exec == nullptr) {
    cmd.add_args(kProbe);
    for (const std::string& word : row.probe) cmd.add_args(word);
  } else {
    cmd.add_args("/bin/sleep");
    cmd.add_args("1000");
  }
  if (row.container != nullptr) row.container(config);
  return config;
}

v1::Cmd ExecOf(const ProcessCase& row) {
  v1::Cmd cmd;
  cmd.add_args(kProbe);
  for (const std::string& word : row.probe) cmd.add_args(word);
  row.exec(cmd);
  return cmd;
}

void ExpectOutcome(const ProcessCase& row, const ProcessOutcome& outcome) {
  const std::string refused(outcome.refused.message());
  if (!row.refusal.empty()) {
    EXPECT_FALSE(outcome.refused.ok()) << outcome.out << outcome.err;
    EXPECT_THAT(refused, HasSubstr(row.refusal));
    return;
  }
  if (!row.may_be_refused.empty() && absl::StrContains(refused, row.may_be_refused)) return;
  ASSERT_TRUE(outcome.refused.ok()) << outcome.refused;
  EXPECT_EQ(outcome.exit.code(), row.exit_code) << outcome.err;
  EXPECT_THAT(outcome.out, row.out);
  EXPECT_EQ(outcome.err, "");
}

void MakeProcessCasesRoot(const std::string& directory, const std::string& probe) {
  namespace fs = std::filesystem;
  MakeBusyboxDirectory(directory);
  fs::copy_file(probe, directory + kProbe);
  // To something that is not there, as images made on a machine with systemd-resolved have it.
  fs::create_symlink("../run/resolve/stub.conf", directory + "/etc/resolv.conf");
  fs::create_symlink("../../../../../../tmp", directory + "/outside");
  fs::create_symlink("/proc/self/root", directory + "/magic");
}

}  // namespace vcd
