// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HOOK_OCI_STATE_H_
#define VCD_CORE_HOOK_OCI_STATE_H_

#include <sys/types.h>

#include <map>
#include <string>

namespace vcd {

// What a hook is told of a pod or container (OCI runtime specification, `State`).
struct OciState {
  std::string id;
  std::string status;  // `creating`, `created`, `running` or `stopped`.
  pid_t pid = 0;       // 0 when there is none any more.
  std::string bundle;  // Absolute path.
  std::map<std::string, std::string> annotations;
};

// As JSON.
std::string OciStateJson(const OciState& state);

// The same with `{pid}` in the place of the number, for whoever knows it. That comes before all that others chose: the
// first one in the text is it.
std::string OciStateTemplate(const OciState& state);

}  // namespace vcd

#endif  // VCD_CORE_HOOK_OCI_STATE_H_
