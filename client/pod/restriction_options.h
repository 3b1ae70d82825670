// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_RESTRICTION_OPTIONS_H_
#define VCD_CLIENT_POD_RESTRICTION_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/arguments.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/process.pb.h"

namespace vcd::client {

// What a command may do and use: the options that `run`, `create` and `exec` share. All errors are INVALID_ARGUMENT and
// name the option.
class RestrictionOptions {
 public:
  void Declare(Arguments* arguments);
  absl::Status Apply(v1::Cmd* cmd) const;

 private:
  std::vector<std::string> groups_;
  std::vector<std::string> ulimits_;
  std::string umask_;
  std::string oom_score_adj_;
};

// What a container has and sees: the options of `run` and `create` alone.
class IsolationOptions {
 public:
  void Declare(Arguments* arguments);
  absl::Status Apply(v1::ContainerConfig* container) const;

 private:
  absl::Status ApplyCapabilities(v1::Cmd* cmd) const;
  absl::Status ApplyFiles(v1::ContainerConfig* container) const;

  std::vector<std::string> added_capabilities_;
  std::vector<std::string> dropped_capabilities_;
  std::vector<std::string> security_options_;
  std::vector<std::string> tmpfs_;
  std::string shm_size_;
  std::vector<std::string> sysctls_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_RESTRICTION_OPTIONS_H_
