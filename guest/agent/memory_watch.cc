// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/memory_watch.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "guest/agent/container_figures.h"
#include "guest/agent/file_io.h"

namespace vcd::guest {
namespace {

// How long a kill waits for the process that it was of to be reaped; that takes milliseconds.
constexpr std::chrono::seconds kClaimTime{5};

constexpr char kPressureFile[] = "/proc/pressure/memory";
// Some process waited for memory for 150 ms of a second (Documentation/accounting/psi.rst).
constexpr char kPressureTrigger[] = "some 150000 1000000";
constexpr std::chrono::seconds kPressurePause{10};

}  // namespace

OomWatch::OomWatch(EventLoop* loop, const std::string& cgroup, std::function<void(uint64_t)> raised)
    : loop_(loop),
      raised_(std::move(raised)),
      events_(::open((cgroup + "/memory.events").c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!events_.valid()) return;
  told_ = claimed_ = Read();  // Reading also says from where on events are of interest.
  watch_ = loop_->Watch(events_.get(), EPOLLPRI, [this](uint32_t) { OnEvent(); });
}

OomWatch::~OomWatch() {
  loop_->Unwatch(watch_);
  loop_->Cancel(expiry_);
}

uint64_t OomWatch::Read() const {
  char text[1024];
  const ssize_t got = events_.valid() ? ::pread(events_.get(), text, sizeof(text), 0) : -1;
  return got <= 0 ? 0 : FigureOf(std::string(text, static_cast<size_t>(got)), "oom_kill ");
}

void OomWatch::OnEvent() {
  const uint64_t kills = Read();
  if (kills <= told_) return;  // Another of the events: memory.high, memory.max.
  told_ = kills;
  loop_->Cancel(expiry_);
  expiry_ = loop_->After(kClaimTime, [this, kills] {
    expiry_ = 0;
    claimed_ = std::max(claimed_, kills);
  });
  raised_(kills);
}

bool OomWatch::Claim(bool spare_one) {
  if (Read() <= claimed_ + (spare_one ? 1 : 0)) return false;
  ++claimed_;
  return true;
}

PressureWatch::PressureWatch(EventLoop* loop, std::function<void(double)> short_of_memory)
    : loop_(loop), short_of_memory_(std::move(short_of_memory)) {
  UniqueFd trigger(::open(kPressureFile, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  // The closing zero belongs to it. Refused where the kernel was not told to count.
  if (!trigger.valid() || ::write(trigger.get(), kPressureTrigger, sizeof(kPressureTrigger)) < 0) return;
  trigger_ = std::move(trigger);
  Listen();
}

PressureWatch::~PressureWatch() {
  loop_->Unwatch(watch_);
  loop_->Cancel(pause_);
}

void PressureWatch::Listen() {
  pause_ = 0;
  watch_ = loop_->Watch(trigger_.get(), EPOLLPRI, [this](uint32_t) { OnEvent(); });
}

void PressureWatch::OnEvent() {
  loop_->Unwatch(std::exchange(watch_, 0));
  pause_ = loop_->After(kPressurePause, [this] { Listen(); });
  short_of_memory_(SomePressure(ReadFileOrEmpty(kPressureFile, 4096)));
}

}  // namespace vcd::guest
