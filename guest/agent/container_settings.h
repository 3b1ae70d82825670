// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CONTAINER_SETTINGS_H_
#define VCD_GUEST_AGENT_CONTAINER_SETTINGS_H_

#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// What LinuxSettings says of a container's file system, in the order in which it is done. Except for NameFiles::Make
// the calling process sees the container's file system and nothing else.
namespace vcd::guest {

// /etc/resolv.conf and /etc/hosts as the host wrote them: files in memory, laid over the container's. What is in its
// root file system, which may be a directory that others use too, stays as it is.
class NameFiles {
 public:
  // Makes those that `settings` has. `scratch` is an empty directory, used for a moment only.
  static OutcomeOr<NameFiles> Make(const ::vcd::agent::v1::LinuxSettings& settings, const std::string& scratch,
                                   bool readonly);

  // Puts them in their places. A place that is missing is made.
  Outcome Attach() const;

 private:
  UniqueFd resolv_conf_;
  UniqueFd hosts_;
};

Outcome SetSysctls(const ::vcd::agent::v1::LinuxSettings& settings);

// Makes paths unreadable and unwritable. Those that are not there are left out.
Outcome HidePaths(const ::vcd::agent::v1::LinuxSettings& settings);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CONTAINER_SETTINGS_H_
