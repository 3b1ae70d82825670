// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <climits>

namespace vcd::guest {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), urgent_(::epoll_create1(EPOLL_CLOEXEC)) {
  // Wakes the loop; what it is about is found by DispatchUrgent.
  (void)Add(epoll_.get(), urgent_.get(), EPOLLIN, [](uint32_t) {});
}

EventLoop::WatchId EventLoop::Watch(int fd, uint32_t epoll_events, Handler handler) {
  return Add(epoll_.get(), fd, epoll_events, std::move(handler));
}

EventLoop::WatchId EventLoop::WatchUrgently(int fd, uint32_t epoll_events, Handler handler) {
  return Add(urgent_.get(), fd, epoll_events, std::move(handler));
}

EventLoop::WatchId EventLoop::Add(int epoll, int fd, uint32_t epoll_events, Handler handler) {
  const WatchId id = ++last_id_;
  epoll_event event{};
  event.events = epoll_events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return 0;
  watches_.emplace(id, Entry{epoll, fd, std::make_shared<Handler>(std::move(handler))});
  return id;
}

void EventLoop::Unwatch(WatchId id) {
  const auto found = watches_.find(id);
  if (found == watches_.end()) return;
  ::epoll_ctl(found->second.epoll, EPOLL_CTL_DEL, found->second.fd, nullptr);
  watches_.erase(found);
}

EventLoop::TimerId EventLoop::After(std::chrono::milliseconds delay, Task task) {
  const TimerId id = ++last_id_;
  timers_.emplace(std::make_pair(Clock::now() + delay, id), std::move(task));
  return id;
}

void EventLoop::Cancel(TimerId id) {
  const auto found =
      std::find_if(timers_.begin(), timers_.end(), [id](const auto& timer) { return timer.first.second == id; });
  if (found != timers_.end()) timers_.erase(found);
}

int EventLoop::Run() {
  while (!stopped_) {
    if (idle_) {
      Dispatch(0);
      if (!stopped_ && idle_ && !idle_()) idle_ = nullptr;
    } else {
      Dispatch(TimeoutMs());
    }
    if (!stopped_) RunDueTimers();
  }
  return exit_code_;
}

void EventLoop::Stop(int exit_code) {
  stopped_ = true;
  exit_code_ = exit_code;
}

void EventLoop::Dispatch(int timeout_ms) {
  epoll_event events[32];
  const int count = ::epoll_wait(epoll_.get(), events, 32, timeout_ms);
  for (int i = 0; i < count && !stopped_; ++i) {
    DispatchUrgent();
    Handle(events[i].data.u64, events[i].events);
  }
}

void EventLoop::DispatchUrgent() {
  epoll_event events[4];
  const int count = ::epoll_wait(urgent_.get(), events, 4, 0);
  for (int i = 0; i < count; ++i) Handle(events[i].data.u64, events[i].events);
}

void EventLoop::Handle(WatchId id, uint32_t epoll_events) {
  const auto found = watches_.find(id);
  if (stopped_ || found == watches_.end()) return;  // An earlier handler of this round removed it.
  const std::shared_ptr<Handler> handler = found->second.handler;
  (*handler)(epoll_events);
}

void EventLoop::RunDueTimers() {
  // Those that a task sets come in a later turn, or tasks that set others would keep all events waiting.
  const Clock::time_point now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const Task task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
}

int EventLoop::TimeoutMs() const {
  if (timers_.empty()) return -1;
  // Rounded up, or the last millisecond before a timer would be spent spinning.
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
}

}  // namespace vcd::guest
