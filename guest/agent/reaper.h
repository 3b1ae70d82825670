// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_REAPER_H_
#define VCD_GUEST_AGENT_REAPER_H_

#include <sys/types.h>

#include <functional>

#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"

namespace vcd::guest {

// Waits for children as they end: the agent's own and, where it is process 1, orphans of all kinds, so that no zombie
// stays. Blocks SIGCHLD, so make it before the first child.
class Reaper {
 public:
  // `reaped` gets waitpid's process and status.
  Reaper(EventLoop* loop, std::function<void(pid_t, int)> reaped);
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

 private:
  void Reap();
  bool ReapOne();

  EventLoop* const loop_;
  const std::function<void(pid_t, int)> reaped_;
  UniqueFd signals_;
  EventLoop::WatchId watch_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_REAPER_H_
