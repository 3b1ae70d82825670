// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_EVENT_LOOP_H_
#define VCD_GUEST_AGENT_EVENT_LOOP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "core/os/unique_fd.h"

namespace vcd::guest {

// The agent's only thread waits here. Handlers run one at a time, on the thread in Run(), and may add and remove
// watches and timers, their own included.
class EventLoop {
 public:
  using WatchId = uint64_t;  // 0 is none.
  using TimerId = uint64_t;  // 0 is none.
  using Handler = std::function<void(uint32_t epoll_events)>;
  using Task = std::function<void()>;

  EventLoop();

  // Calls `handler` when `fd` has one of `epoll_events` (EPOLLIN, EPOLLET …). 0 if the kernel refuses the descriptor.
  // The caller keeps `fd` open until Unwatch.
  WatchId Watch(int fd, uint32_t epoll_events, Handler handler);

  // As Watch, for what must not wait for others: its events are looked for before every handler of theirs.
  WatchId WatchUrgently(int fd, uint32_t epoll_events, Handler handler);

  // After it the handler runs no more, even for an event that is already here. 0 and unknown ids are ignored.
  void Unwatch(WatchId id);

  // Calls `task` once, after `delay`.
  TimerId After(std::chrono::milliseconds delay, Task task);
  void Cancel(TimerId id);

  // Calls `task` whenever nothing else waits, until it answers false.
  void WhenIdle(std::function<bool()> task) { idle_ = std::move(task); }

  // Runs until Stop(); gives Stop's value.
  int Run();
  void Stop(int exit_code);

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    int epoll;
    int fd;
    std::shared_ptr<Handler> handler;  // Shared, so that a handler which unwatches itself lives until it returns.
  };

  WatchId Add(int epoll, int fd, uint32_t epoll_events, Handler handler);
  void Dispatch(int timeout_ms);
  void DispatchUrgent();
  void Handle(WatchId id, uint32_t epoll_events);
  void RunDueTimers();
  int TimeoutMs() const;

  UniqueFd epoll_;
  UniqueFd urgent_;  // Of its own, and one of epoll_'s.
  uint64_t last_id_ = 0;
  std::map<WatchId, Entry> watches_;
  std::map<std::pair<Clock::time_point, TimerId>, Task> timers_;
  std::function<bool()> idle_;
  bool stopped_ = false;
  int exit_code_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_EVENT_LOOP_H_
