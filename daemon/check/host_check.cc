// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/host_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "daemon/check/checks.h"

namespace vcd {
namespace {

// For all programs that are run, together.
constexpr absl::Duration kProgramTime = absl::Seconds(5);

using Check = void (*)(const CheckSubject& subject, Findings& findings);

constexpr Check kMachineChecks[] = {CheckAccelerator, CheckQemu,      CheckFirmware,  CheckKernel,
                                    CheckInitramfs,   CheckVirtiofsd, CheckHugePages, CheckSeccomp};
constexpr Check kHostChecks[] = {CheckMemory,    CheckDirectories, CheckLimits,   CheckHostKernel,     CheckSystemCalls,
                                 CheckCgroups,   CheckPrivileges,  CheckUidRange, CheckUserNamespaces, CheckClock,
                                 CheckCoreDumps, CheckSocket,      CheckMetrics,  CheckOtherDaemon,    CheckDevices,
                                 CheckCni,       CheckImageTools};

const char* LevelWord(const v1::CheckResult& result) {
  if (result.ok()) return "ok";
  switch (result.level()) {
    case v1::CHECK_LEVEL_INFO:
      return "info";
    case v1::CHECK_LEVEL_WARNING:
      return "warning";
    default:
      return "error";
  }
}

}  // namespace

v1::CheckResponse CheckHost(const Host& host, const config::v1::DaemonConfig& config, bool serving,
                            ProgramAnswers& answers) {
  const CheckSubject subject = {host, config, serving, answers, absl::Now() + kProgramTime};
  Findings findings;
  if (subject.real_machines()) {
    for (const Check check : kMachineChecks) check(subject, findings);
  } else {
    findings.Good("machines", absl::StrCat("not looked at: pods take hypervisor ", config.hypervisor()));
  }
  for (const Check check : kHostChecks) check(subject, findings);
  v1::CheckResponse response;
  for (const v1::CheckResult& result : findings.results()) *response.add_results() = result;
  return response;
}

bool CanRunPods(const v1::CheckResponse& response) {
  return std::none_of(response.results().begin(), response.results().end(), [](const v1::CheckResult& result) {
    return !result.ok() && result.level() == v1::CHECK_LEVEL_ERROR;
  });
}

std::string CheckText(const v1::CheckResponse& response) {
  std::string text;
  for (const v1::CheckResult& result : response.results()) {
    absl::StrAppendFormat(&text, "%-8s %-15s %s\n", LevelWord(result), result.name(), result.detail());
    if (!result.remedy().empty()) absl::StrAppendFormat(&text, "%24s %s\n", "->", result.remedy());
  }
  absl::StrAppend(&text, CanRunPods(response) ? "pods can run here\n" : "pods cannot run here\n");
  return text;
}

HostCheck::HostCheck(std::unique_ptr<Host> host, config::v1::DaemonConfig config, WorkerPool& pool)
    : host_(std::move(host)), config_(std::move(config)), pool_(pool) {}

void HostCheck::Run(Callback done) {
  {
    const MutexLock lock(&mu_);
    waiting_.push_back(std::move(done));
    if (running_) return;
    running_ = true;
  }
  pool_.Post([this] { RunOnce(); });
}

void HostCheck::RunOnce() {
  std::vector<Callback> callers;
  {
    const MutexLock lock(&mu_);
    callers.swap(waiting_);
  }
  const v1::CheckResponse response = CheckHost(*host_, config_, /*serving=*/true, answers_);
  for (const Callback& done : callers) done(response);
  {
    const MutexLock lock(&mu_);
    running_ = !waiting_.empty();
    if (!running_) return;
  }
  pool_.Post([this] { RunOnce(); });
}

}  // namespace vcd
