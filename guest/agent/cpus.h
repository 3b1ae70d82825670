// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CPUS_H_
#define VCD_GUEST_AGENT_CPUS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "guest/agent/event_loop.h"
#include "guest/agent/outcome.h"

namespace vcd::guest {

// How many CPUs the machine uses. The host only ever plugs more in; which of them are online is decided here.
class Cpus {
 public:
  using Done = std::function<void(const Outcome&)>;

  // `root` as /sys/devices/system/cpu; empty where they are not the agent's to change.
  Cpus(EventLoop* loop, std::string root) : loop_(loop), root_(std::move(root)) {}
  ~Cpus() { loop_->Cancel(deadline_); }

  // Takes the first `count` online and the others offline, once so many are there. Tells `done` when it is so, or why
  // it cannot be; an earlier call that still waits is told that it came too late.
  void Set(uint32_t count, Done done);

  // A device has come or gone.
  void OnDevicesChanged();

 private:
  // False when there are not enough yet.
  bool Try();
  void Finish(const Outcome& outcome);

  EventLoop* const loop_;
  const std::string root_;
  uint32_t wanted_ = 0;
  Done done_;  // Set while somebody waits.
  EventLoop::TimerId deadline_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CPUS_H_
