// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_MEMORY_WATCH_H_
#define VCD_GUEST_AGENT_MEMORY_WATCH_H_

#include <cstdint>
#include <functional>
#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"

namespace vcd::guest {

// Counts the processes of one control group that the kernel ended for want of memory, and tells which of those that end
// by SIGKILL it was. Does nothing where the kernel does not count (no memory controller).
class OomWatch {
 public:
  // `raised` gets the count so far, whenever it has grown.
  OomWatch(EventLoop* loop, const std::string& cgroup, std::function<void(uint64_t)> raised);
  ~OomWatch();
  OomWatch(const OomWatch&) = delete;
  OomWatch& operator=(const OomWatch&) = delete;

  // Whether a process that has just been found dead by SIGKILL is one of them: there is a kill that none was found for.
  // The kernel counts before it kills, so the count is never behind. One that stays unclaimed for some seconds was of a
  // process that the agent does not wait for, and is dropped. `spare_one` leaves a kill to a process that is yet to be
  // found.
  bool Claim(bool spare_one = false);

 private:
  void OnEvent();
  uint64_t Read() const;

  EventLoop* const loop_;
  const std::function<void(uint64_t)> raised_;
  UniqueFd events_;
  EventLoop::WatchId watch_ = 0;
  EventLoop::TimerId expiry_ = 0;
  uint64_t told_ = 0;
  uint64_t claimed_ = 0;
};

// Tells when processes of the machine wait for memory: the kernel's pressure stall information (psi=1).
class PressureWatch {
 public:
  // `short_of_memory` gets the share of the last ten seconds, percent; not more often than every ten seconds.
  PressureWatch(EventLoop* loop, std::function<void(double)> short_of_memory);
  ~PressureWatch();
  PressureWatch(const PressureWatch&) = delete;
  PressureWatch& operator=(const PressureWatch&) = delete;

 private:
  void OnEvent();
  void Listen();

  EventLoop* const loop_;
  const std::function<void(double)> short_of_memory_;
  UniqueFd trigger_;
  EventLoop::WatchId watch_ = 0;
  EventLoop::TimerId pause_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_MEMORY_WATCH_H_
