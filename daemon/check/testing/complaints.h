// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_TESTING_COMPLAINTS_H_
#define VCD_DAEMON_CHECK_TESTING_COMPLAINTS_H_

#include <string>
#include <vector>

#include "daemon/check/testing/fake_host.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd {

// CheckHost with programs that nobody has asked yet. `serving`: by the daemon itself.
v1::CheckResponse Check(const FakeHost& host, const config::v1::DaemonConfig& config, bool serving = false);
// The results that are not good.
std::vector<v1::CheckResult> Complaints(const v1::CheckResponse& response);
// A line for each, with its check and its detail.
std::string Names(const std::vector<v1::CheckResult>& results);

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_TESTING_COMPLAINTS_H_
