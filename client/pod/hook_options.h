// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_HOOK_OPTIONS_H_
#define VCD_CLIENT_POD_HOOK_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/arguments.h"
#include "proto/vcd/v1/hook.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {

// Adds what `--hook KIND=PATH[,ARG…]` says: a program with the usual PATH and no more in its environment.
// INVALID_ARGUMENT naming the option.
absl::Status AddHook(const std::string& text, v1::Hooks* hooks);

// The hooks of a pod: an option that `run` and `create` share.
class HookOptions {
 public:
  void Declare(Arguments* arguments);
  // Adds what was given to what is there.
  absl::Status Apply(v1::PodConfig* config) const;

 private:
  std::vector<std::string> hooks_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_HOOK_OPTIONS_H_
