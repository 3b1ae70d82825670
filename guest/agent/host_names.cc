// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/host_names.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "core/os/unique_fd.h"

namespace vcd::guest {

void RenameHosts(const std::vector<int>& pidfds, const std::string& before, const std::string& now) {
  const UniqueFd own(::open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));
  if (!own.valid()) return;
  for (const int pidfd : pidfds) {
    if (::setns(pidfd, CLONE_NEWUTS) != 0) continue;
    char name[65] = {};
    if (::gethostname(name, sizeof name - 1) == 0 && before == name) (void)!::sethostname(now.data(), now.size());
  }
  (void)::setns(own.get(), CLONE_NEWUTS);
}

}  // namespace vcd::guest
