// SPDX-License-Identifier: Apache-2.0
#include "core/model/seccomp_program.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/model/field_checks.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr int kMaxErrno = 4095;
constexpr uint32_t kMaxArgumentIndex = 5;

struct FilterDeleter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterDeleter>;

absl::StatusOr<uint32_t> ParseAction(const std::string& action, bool has_errno, uint32_t errno_ret,
                                     const std::string& field, const std::string& errno_field) {
  if (action == "SCMP_ACT_ERRNO") {
    const uint32_t error = has_errno ? errno_ret : EPERM;
    if (error > kMaxErrno) return InvalidField(errno_field, absl::StrCat(error, " is no error number"));
    return SCMP_ACT_ERRNO(error);
  }
  if (has_errno) return InvalidField(errno_field, "goes with SCMP_ACT_ERRNO only");
  if (action == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (action == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  if (action == "SCMP_ACT_KILL_THREAD" || action == "SCMP_ACT_KILL") return SCMP_ACT_KILL_THREAD;
  if (action == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
  if (action == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(action),
                                          "\" is no action; possible are SCMP_ACT_ALLOW, _ERRNO, _KILL_PROCESS, "
                                          "_KILL_THREAD, _KILL, _TRAP and _LOG"));
}

absl::StatusOr<scmp_compare> ParseOperator(const std::string& op, const std::string& field) {
  if (op == "SCMP_CMP_EQ") return SCMP_CMP_EQ;
  if (op == "SCMP_CMP_NE") return SCMP_CMP_NE;
  if (op == "SCMP_CMP_LT") return SCMP_CMP_LT;
  if (op == "SCMP_CMP_LE") return SCMP_CMP_LE;
  if (op == "SCMP_CMP_GE") return SCMP_CMP_GE;
  if (op == "SCMP_CMP_GT") return SCMP_CMP_GT;
  if (op == "SCMP_CMP_MASKED_EQ") return SCMP_CMP_MASKED_EQ;
  return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(op),
                                          "\" is no comparison; possible are SCMP_CMP_EQ, _NE, _LT, _LE, _GE, _GT and "
                                          "_MASKED_EQ"));
}

absl::StatusOr<std::vector<scmp_arg_cmp>> ParseArguments(const v1::SeccompRule& rule, const std::string& field) {
  std::vector<scmp_arg_cmp> comparisons;
  std::set<uint32_t> seen;
  for (int i = 0; i < rule.args_size(); ++i) {
    const v1::SeccompArgument& argument = rule.args(i);
    const std::string element = Element(absl::StrCat(field, ".args"), i);
    if (argument.index() > kMaxArgumentIndex) {
      return InvalidField(absl::StrCat(element, ".index"),
                          absl::StrCat(argument.index(), " is no argument; they are numbered from 0 to 5"));
    }
    if (!seen.insert(argument.index()).second) {
      return InvalidField(absl::StrCat(element, ".index"),
                          absl::StrCat(argument.index(),
                                       " is compared before in this rule; one rule can compare an "
                                       "argument once"));
    }
    VCD_ASSIGN_OR_RETURN(const scmp_compare op, ParseOperator(argument.op(), absl::StrCat(element, ".op")));
    comparisons.push_back({argument.index(), op, argument.value(), argument.value_two()});
  }
  return comparisons;
}

absl::Status AddArchitectures(const v1::SeccompProfile& profile, void* filter, const std::string& field) {
  if (profile.architectures().empty()) return absl::OkStatus();
  bool native = false;
  for (int i = 0; i < profile.architectures_size(); ++i) {
    constexpr char kPrefix[] = "SCMP_ARCH_";
    const std::string& name = profile.architectures(i);
    const std::string element = Element(absl::StrCat(field, ".architectures"), i);
    const uint32_t token = absl::StartsWith(name, kPrefix) && !absl::EndsWith(name, "_NATIVE")
                               ? seccomp_arch_resolve_name(
                                     absl::AsciiStrToLower(absl::string_view(name).substr(sizeof(kPrefix) - 1)).c_str())
                               : 0;
    if (token == 0) {
      return InvalidField(
          element, absl::StrCat("\"", absl::CHexEscape(name), "\" is no architecture; they are like SCMP_ARCH_X86_64"));
    }
    native = native || token == seccomp_arch_native();
    const int added = seccomp_arch_add(filter, token);
    // Those of another byte order cannot share a filter, nor does a guest of this machine run them.
    if (added != 0 && added != -EEXIST) {
      return InvalidField(element, absl::StrCat(name, " does not go with the guest's own architecture"));
    }
  }
  if (!native) seccomp_arch_remove(filter, seccomp_arch_native());
  return absl::OkStatus();
}

absl::Status AddRule(const v1::SeccompRule& rule, uint32_t default_action, void* filter, const std::string& field) {
  VCD_ASSIGN_OR_RETURN(const uint32_t action,
                       ParseAction(rule.action(), rule.has_errno_ret(), rule.errno_ret(),
                                   absl::StrCat(field, ".action"), absl::StrCat(field, ".errno_ret")));
  VCD_ASSIGN_OR_RETURN(const std::vector<scmp_arg_cmp> comparisons, ParseArguments(rule, field));
  if (rule.names().empty()) return InvalidField(absl::StrCat(field, ".names"), "is empty; it needs a system call");
  for (int i = 0; i < rule.names_size(); ++i) {
    const std::string element = Element(absl::StrCat(field, ".names"), i);
    const int number = seccomp_syscall_resolve_name(rule.names(i).c_str());
    if (number == __NR_SCMP_ERROR) {
      if (action == SCMP_ACT_ALLOW) continue;
      return InvalidField(
          element, absl::StrCat("\"", absl::CHexEscape(rule.names(i)), "\" is no system call that libseccomp knows"));
    }
    if (action == default_action) continue;  // Says nothing new, and libseccomp does not take it.
    const int added = seccomp_rule_add_array(filter, action, number, static_cast<unsigned>(comparisons.size()),
                                             comparisons.empty() ? nullptr : comparisons.data());
    if (added != 0) {
      return InvalidField(element, absl::StrCat("the rule for ", rule.names(i),
                                                " cannot be added: ", PosixError(-added, "libseccomp").message()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Export(void* filter) {
  const UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file.valid()) return PosixError(errno, "make a file for a seccomp filter");
  if (const int exported = seccomp_export_bpf(filter, file.get()); exported != 0) {
    return PosixError(-exported, "compile a seccomp filter");
  }
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::string program(static_cast<size_t>(size < 0 ? 0 : size), '\0');
  if (size <= 0 || ::pread(file.get(), program.data(), program.size(), 0) != size) {
    return PosixError(errno, "read a seccomp filter");
  }
  return program;
}

}  // namespace

absl::StatusOr<std::string> CompileSeccompProfile(const v1::SeccompProfile& profile, const std::string& field) {
  VCD_ASSIGN_OR_RETURN(
      const uint32_t default_action,
      ParseAction(profile.default_action(), profile.has_default_errno_ret(), profile.default_errno_ret(),
                  absl::StrCat(field, ".default_action"), absl::StrCat(field, ".default_errno_ret")));
  const Filter filter(seccomp_init(default_action));
  if (filter == nullptr) return absl::InternalError("libseccomp makes no filter");
  seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  VCD_RETURN_IF_ERROR(AddArchitectures(profile, filter.get(), field));
  for (int i = 0; i < profile.syscalls_size(); ++i) {
    VCD_RETURN_IF_ERROR(
        AddRule(profile.syscalls(i), default_action, filter.get(), Element(absl::StrCat(field, ".syscalls"), i)));
  }
  return Export(filter.get());
}

}  // namespace vcd
