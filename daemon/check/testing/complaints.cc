// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/testing/complaints.h"

#include "absl/strings/str_cat.h"
#include "daemon/check/host_check.h"

namespace vcd {

v1::CheckResponse Check(const FakeHost& host, const config::v1::DaemonConfig& config, bool serving) {
  ProgramAnswers answers;
  return CheckHost(host, config, serving, answers);
}

std::vector<v1::CheckResult> Complaints(const v1::CheckResponse& response) {
  std::vector<v1::CheckResult> complaints;
  for (const v1::CheckResult& result : response.results()) {
    if (!result.ok()) complaints.push_back(result);
  }
  return complaints;
}

std::string Names(const std::vector<v1::CheckResult>& results) {
  std::string names;
  for (const v1::CheckResult& result : results) absl::StrAppend(&names, result.name(), ": ", result.detail(), "\n");
  return names;
}

}  // namespace vcd
