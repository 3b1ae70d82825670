// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_STAND_IN_PROCESS_H_
#define VCD_CORE_OS_STAND_IN_PROCESS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/os/process.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A process that does nothing but be there, in the namespaces that it was given. It ends with this object, and with the
// process that made it, however that ends. Move-only.
class StandInProcess {
 public:
  // `name` is what lists of processes show; `namespace_fds` as in LaunchSpec.
  static absl::StatusOr<StandInProcess> Start(const std::string& name, const std::vector<int>& namespace_fds);

  // Blocks until it has ended.
  ~StandInProcess();
  StandInProcess(StandInProcess&&) = default;
  StandInProcess& operator=(StandInProcess&&) = delete;

  pid_t pid() const { return process_.identity.pid; }

 private:
  StandInProcess(LaunchedProcess process, UniqueFd life) : process_(std::move(process)), life_(std::move(life)) {}

  LaunchedProcess process_;
  UniqueFd life_;  // The writing end of a pipe that it reads from: it ends when nobody has that any more.
};

}  // namespace vcd

#endif  // VCD_CORE_OS_STAND_IN_PROCESS_H_
