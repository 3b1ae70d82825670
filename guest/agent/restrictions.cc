// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/restrictions.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "guest/agent/file_io.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::Command;

constexpr char kOomScoreFile[] = "/proc/self/oom_score_adj";
constexpr mode_t kDefaultUmask = 022;

struct LimitName {
  const char* name;
  int resource;
};
constexpr LimitName kLimits[] = {
    {"RLIMIT_AS", RLIMIT_AS},           {"RLIMIT_CORE", RLIMIT_CORE},         {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},       {"RLIMIT_FSIZE", RLIMIT_FSIZE},       {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},   {"RLIMIT_NPROC", RLIMIT_NPROC},       {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},   {"RLIMIT_RTTIME", RLIMIT_RTTIME},     {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

std::string NameOf(int resource) {
  for (const LimitName& limit : kLimits) {
    if (limit.resource == resource) return limit.name;
  }
  return std::to_string(resource);
}

std::string Number(rlim_t value) { return value == RLIM_INFINITY ? "unlimited" : std::to_string(value); }

OutcomeOr<std::map<int, rlimit>> ParseLimits(const Command& command) {
  std::map<int, rlimit> limits;
  for (const auto& wanted : command.rlimits()) {
    const LimitName* found = nullptr;
    for (const LimitName& limit : kLimits) {
      if (wanted.type() == limit.name) found = &limit;
    }
    if (found == nullptr) return Invalid("unknown resource limit \"" + wanted.type() + "\"");
    if (wanted.soft() > wanted.hard()) {
      return Invalid("the soft " + wanted.type() + " of " + Number(wanted.soft()) + " is above the hard one of " +
                     Number(wanted.hard()));
    }
    limits[found->resource] = rlimit{wanted.soft(), wanted.hard()};
  }
  return limits;
}

// The hard limit that processes of a container have.
rlim_t HardLimit(const Restrictions& container, int resource) {
  if (const auto found = container.rlimits.find(resource); found != container.rlimits.end()) {
    return found->second.rlim_max;
  }
  rlimit own{};
  return ::getrlimit(static_cast<__rlimit_resource>(resource), &own) == 0 ? own.rlim_max : RLIM_INFINITY;
}

Outcome CheckFilter(const std::string& filter) {
  if (filter.size() % sizeof(sock_filter) != 0 || filter.size() / sizeof(sock_filter) > BPF_MAXINSNS) {
    return Invalid("the seccomp filter of " + std::to_string(filter.size()) + " bytes is no program");
  }
  return Outcome();
}

}  // namespace

OutcomeOr<Restrictions> ContainerRestrictions(const Command& command, const std::string& seccomp_filter) {
  Restrictions restrictions;
  OutcomeOr<CapabilitySets> capabilities =
      command.has_capabilities() ? ParseCapabilities(command.capabilities()) : DefaultCapabilities();
  if (!capabilities.ok()) return capabilities.outcome();
  restrictions.capabilities = *capabilities;
  OutcomeOr<std::map<int, rlimit>> limits = ParseLimits(command);
  if (!limits.ok()) return limits.outcome();
  restrictions.rlimits = *limits;
  if (Outcome checked = CheckFilter(seccomp_filter); !checked.ok()) return checked;
  restrictions.seccomp_filter = seccomp_filter;
  restrictions.no_new_privileges = command.no_new_privileges();
  if (command.has_oom_score_adj()) restrictions.oom_score_adj = command.oom_score_adj();
  restrictions.umask = command.has_umask() ? command.umask() & 0777 : kDefaultUmask;
  return restrictions;
}

OutcomeOr<Restrictions> ExecRestrictions(const Restrictions& container, const Command& command) {
  OutcomeOr<Restrictions> wanted = ContainerRestrictions(command, container.seccomp_filter);
  if (!wanted.ok()) return wanted;
  if (!command.has_capabilities()) {
    wanted->capabilities = container.capabilities;
  } else if (const uint64_t beyond = wanted->capabilities.All() & ~container.capabilities.bounding; beyond != 0) {
    return Invalid("the capability " + CapabilityName(beyond) +
                   " is not in the bounding set of the container; a process in it cannot have more");
  }
  wanted->no_new_privileges = wanted->no_new_privileges || container.no_new_privileges;
  for (const auto& [resource, limit] : wanted->rlimits) {
    const rlim_t most = HardLimit(container, resource);
    if (limit.rlim_max > most) {
      return Invalid("the hard " + NameOf(resource) + " of " + Number(limit.rlim_max) + " is above " + Number(most) +
                     ", that of the container; a process in it cannot have more");
    }
  }
  wanted->rlimits.insert(container.rlimits.begin(), container.rlimits.end());
  if (!wanted->oom_score_adj) {
    wanted->oom_score_adj = container.oom_score_adj;
  } else if (const int least = container.oom_score_adj.value_or(0); *wanted->oom_score_adj < least) {
    return Invalid("the oom_score_adj of " + std::to_string(*wanted->oom_score_adj) + " is below " +
                   std::to_string(least) + ", that of the container; a process in it cannot be spared more");
  }
  if (!command.has_umask()) wanted->umask = container.umask;
  return wanted;
}

Outcome ApplyOomScore(const Restrictions& restrictions) {
  const std::string current = ReadLine(kOomScoreFile);
  const int now = std::atoi(current.c_str());
  // What is not asked for is 0; an agent that the kernel spares does not hand that on.
  const int wanted = restrictions.oom_score_adj.value_or(now < 0 ? 0 : now);
  if (wanted == now) return Outcome();
  if (Outcome written = WriteFile(kOomScoreFile, std::to_string(wanted)); !written.ok()) {
    return Outcome(ErrorCode::ERROR_CODE_SYSTEM,
                   "set oom_score_adj to " + std::to_string(wanted) + " from " + current + ": " + written.message());
  }
  return Outcome();
}

Outcome ApplyLimits(const Restrictions& restrictions) {
  for (const auto& [resource, limit] : restrictions.rlimits) {
    if (::setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) {
      const int error = errno;
      rlimit own{};
      ::getrlimit(static_cast<__rlimit_resource>(resource), &own);
      return SystemFailure("set " + NameOf(resource) + " to " + Number(limit.rlim_cur) + ":" + Number(limit.rlim_max) +
                               " from " + Number(own.rlim_cur) + ":" + Number(own.rlim_max),
                           error);
    }
  }
  return Outcome();
}

Outcome ApplyNoNewPrivileges(const Restrictions& restrictions) {
  if (!restrictions.no_new_privileges || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) return Outcome();
  return SystemFailure("set no_new_privs");
}

Outcome ApplySeccompFilter(const Restrictions& restrictions) {
  const std::string& filter = restrictions.seccomp_filter;
  if (filter.empty()) return Outcome();
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size() / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.data()));
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) return Outcome();
  if (errno == EACCES) {
    return SystemFailure("install the seccomp filter; it takes no_new_privileges, or an agent with CAP_SYS_ADMIN");
  }
  return SystemFailure("install the seccomp filter");
}

}  // namespace vcd::guest
