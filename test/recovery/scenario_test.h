// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_RECOVERY_SCENARIO_TEST_H_
#define VCD_TEST_RECOVERY_SCENARIO_TEST_H_

#include <cctype>
#include <cstdlib>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/recovery/scenarios.h"

namespace vcd {

// What every operation of a scenario is asked with.
inline constexpr char kRequest[] = "the-request";

// A pod's line; "" when there is none.
std::string Line(const Observed& observed, const std::string& pod_id);

// A scenario beside a bystander, the pod `other`, that nothing may happen to. Counts what it finds for the report.
class ScenarioTest : public testing::TestWithParam<Scenario> {
 protected:
  // Learns what the operation makes of the world when nothing goes wrong.
  void SetUp() override;

  static const Scenario& scenario() { return GetParam(); }

  // A daemon, the bystander and what the scenario begins with.
  static void Prepare(RecoveryWorld& world);

  // Judges what is seen of the pods, and if `leaks` what the host holds. `allowed` are lines of `web`.
  void Judge(RecoveryWorld& world, bool acknowledged, const std::vector<std::string>& allowed, const std::string& other,
             bool leaks = true);
  // Judges that the same request, sent again, comes to the end that it has when nothing goes wrong.
  void JudgeRepetition(RecoveryWorld& world);
  // Judges that all pods can be deleted, and nothing is left then.
  static void JudgeDeletion(RecoveryWorld& world);

  // What may be seen of `web`: what the operation makes of it, and if it was not acknowledged, also what was before.
  std::vector<std::string> Allowed(bool acknowledged) const;

  // Whether tools/crash_report.sh runs this, which has the time to try all there is.
  static bool Reports() { return std::getenv("VCD_CRASH_REPORT_DIR") != nullptr; }

  // Writes the row of the report: `kind` of fault, the scenario and what was counted.
  void Report(const std::string& kind) const;

  Observed before_;
  Observed after_;

 private:
  int tried_ = 0;
  int lost_ = 0;         // What was acknowledged is not there.
  int leaked_ = 0;       // The host holds what the API does not account for.
  int resurrected_ = 0;  // What was deleted is back.
  int stuck_ = 0;        // The same request, sent again, does not come to the same end.
};

// For INSTANTIATE_TEST_SUITE_P.
inline std::string ScenarioName(const testing::TestParamInfo<Scenario>& info) {
  std::string name;
  for (const char c : info.param.name) {
    if (std::isalnum(static_cast<unsigned char>(c))) name.push_back(c);
  }
  return name;
}

}  // namespace vcd

#endif  // VCD_TEST_RECOVERY_SCENARIO_TEST_H_
