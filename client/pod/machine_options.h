// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_MACHINE_OPTIONS_H_
#define VCD_CLIENT_POD_MACHINE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/arguments.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {

// The virtual machine of a pod: the options that `run`, `create` and `template prepare` share.
class MachineOptions {
 public:
  void Declare(Arguments* arguments);

  // Puts what was given into `config`. INVALID_ARGUMENT names the option.
  absl::Status Apply(v1::PodConfig* config) const;

 private:
  std::optional<uint32_t> memory_mib_;
  std::optional<uint32_t> cpus_;
  std::string kernel_;
  std::string initrd_;
  std::string firmware_;
  std::vector<std::string> kernel_params_;
  std::string accelerator_;
  std::string hypervisor_;
  std::string agent_;
  std::string trust_domain_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_MACHINE_OPTIONS_H_
