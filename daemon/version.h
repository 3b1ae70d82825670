// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_VERSION_H_
#define VCD_DAEMON_VERSION_H_

namespace vcd {

// Semantic version of the daemon.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace vcd

#endif  // VCD_DAEMON_VERSION_H_
