// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_RUN_FILES_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_RUN_FILES_H_

#include <string>

#include "absl/status/status.h"

namespace vcd {

// What this backend keeps in the run directory of a pod.
inline constexpr char kControlSocket[] = "ctl";
inline constexpr char kMonitorSocket[] = "mon";
inline constexpr char kAgentSocket[] = "agent";

std::string ConsoleLogPath(const std::string& run_dir);
std::string QemuLogPath(const std::string& run_dir);

// Removes the sockets' names; with the logs, everything of ours. OK when there is nothing. Goes on after an error and
// returns the first.
absl::Status RemoveSockets(const std::string& run_dir);
absl::Status RemoveRunFiles(const std::string& run_dir);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_RUN_FILES_H_
