// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_UEVENTS_H_
#define VCD_GUEST_AGENT_UEVENTS_H_

#include <functional>

#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"

namespace vcd::guest {

// Says when the kernel's devices change, so that nobody has to poll for a disk, a share or a port. Which device it was
// is not told: whoever waits looks whether his is there, which is right also when the kernel dropped events.
class Uevents {
 public:
  Uevents(EventLoop* loop, std::function<void()> changed);
  ~Uevents();
  Uevents(const Uevents&) = delete;
  Uevents& operator=(const Uevents&) = delete;

 private:
  EventLoop* const loop_;
  UniqueFd socket_;
  EventLoop::WatchId watch_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_UEVENTS_H_
