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
inline constexpr char kConsoleSocket[] = "console";

std::string QemuLogPath(const std::string& run_dir);

// Removes the sockets' names; with the logs, everything of ours but the console (core/hypervisor/console_log.h), which
// is to be read when the machine has ended. OK when there is nothing. Goes on after an error and returns the first.
absl::Status RemoveSockets(const std::string& run_dir);
absl::Status RemoveRunFiles(const std::string& run_dir);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_RUN_FILES_H_
