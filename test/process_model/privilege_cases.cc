// SPDX-License-Identifier: Apache-2.0
// What a process may do and use.
#include <errno.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "test/process_model/case_rows.h"

namespace vcd {
namespace {

constexpr char kDefaultSet[] = "00000000a80425fb";
constexpr char kNoSet[] = "0000000000000000";

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

void Deny(v1::ContainerConfig& c, const std::string& call, const std::string& action, int errno_ret = 0) {
  v1::SeccompProfile& profile = *c.mutable_linux()->mutable_seccomp();
  profile.set_default_action("SCMP_ACT_ALLOW");
  v1::SeccompRule& rule = *profile.add_syscalls();
  rule.add_names(call);
  rule.set_action(action);
  if (errno_ret != 0) rule.set_errno_ret(static_cast<uint32_t>(errno_ret));
}

}  // namespace

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

}  // namespace vcd
