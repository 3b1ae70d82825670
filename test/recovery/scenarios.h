// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_RECOVERY_SCENARIOS_H_
#define VCD_TEST_RECOVERY_SCENARIOS_H_

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "test/recovery/recovery_world.h"

namespace vcd {

// One operation of the API in a situation of its own. It is about the pod `web`.
struct Scenario {
  std::string name;
  std::function<void(RecoveryWorld&)> prepare;
  // With this request id; ends when all that it set off has ended too, or the daemon is dead.
  std::function<absl::Status(RecoveryWorld&, const std::string& request_id)> operation;
  // What may also be seen of `web` after a crash, beside what was before and what is after it; "" for no pod.
  std::vector<std::string> also;
};

// For test names and messages.
inline void PrintTo(const Scenario& scenario, std::ostream* stream) { *stream << scenario.name; }

// Every mutation that there is, in the states that it can begin in.
std::vector<Scenario> Scenarios();

}  // namespace vcd

#endif  // VCD_TEST_RECOVERY_SCENARIOS_H_
