// SPDX-License-Identifier: Apache-2.0
#include "core/pod/boot_gate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Of each kind of start. The median of so many is not moved by one that hung.
constexpr size_t kTimesKept = 15;
// Fewer say nothing.
constexpr size_t kTimesNeeded = 3;

constexpr char kReserve[] = "admission.memory_reserve_mib";

absl::Status Withdrawn() { return absl::CancelledError("it waits for its start no longer"); }

std::string Mib(uint64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); }

std::string Seconds(absl::Duration time) { return absl::FormatDuration(absl::Trunc(time, absl::Milliseconds(100))); }

}  // namespace

void BootGate::Enter(const std::string& pod_id, const BootNeed& need, const Cancellation& cancellation,
                     Entered entered) {
  const absl::Status refusal = Refusal(need);
  if (!refusal.ok()) return entered(refusal);
  {
    MutexLock lock(&mu_);
    waiting_.push_back({pod_id, need, std::move(entered), &cancellation});
  }
  Advance();
  // If it waits, it is in the queue now: whoever cancels from here on finds it there. If not, it has run, and its
  // cancellation may be gone.
  Withdraw(pod_id);
}

absl::Status BootGate::Refusal(const BootNeed& need) {
  absl::Status possible = CheckEver(need);
  MutexLock lock(&mu_);
  if (!possible.ok()) {
    ++refused_for_memory_;
  } else if (!waiting_.empty() || taken_.size() >= limits_.places) {
    possible = CheckDeadlineLocked(need);
    if (!possible.ok()) ++refused_for_deadline_;
  }
  return possible;
}

absl::Status BootGate::Foresee(const BootNeed& need) {
  VCD_RETURN_IF_ERROR(Refusal(need));
  const std::optional<HostMemory> memory = IsBounded(need) ? limits_.memory() : std::nullopt;
  MutexLock lock(&mu_);
  if (!waiting_.empty() || !taken_.empty()) return absl::OkStatus();
  const absl::Status room = CheckRoomLocked(need, memory);
  if (!room.ok()) ++refused_for_memory_;
  return room;
}

void BootGate::EnterFirst(const BootNeed& need, Entered entered) {
  const absl::Status possible = CheckEver(need);
  {
    MutexLock lock(&mu_);
    if (possible.ok()) {
      waiting_.push_front({"", need, std::move(entered)});
    } else {
      ++refused_for_memory_;
    }
  }
  possible.ok() ? Advance() : entered(possible);
}

void BootGate::EnterIdle(const BootNeed& need, Entered entered) {
  {
    MutexLock lock(&mu_);
    waiting_for_idle_.push_back({"", need, std::move(entered)});
  }
  Advance();
}

void BootGate::Withdraw(const std::string& pod_id) {
  Entered withdrawn;
  absl::Status why;
  {
    MutexLock lock(&mu_);
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&pod_id](const Waiting& waiting) { return waiting.pod_id == pod_id; });
    if (found == waiting_.end()) return;
    why = found->cancellation->status();
    if (why.ok()) return;
    withdrawn = std::move(found->entered);
    waiting_.erase(found);
  }
  withdrawn(why);
  // It may have waited for memory that those behind it do not need.
  Advance();
}

void BootGate::WithdrawAll() {
  std::list<Waiting> withdrawn;
  std::list<Waiting> withdrawn_for_idle;
  {
    MutexLock lock(&mu_);
    withdrawn.swap(waiting_);
    withdrawn_for_idle.swap(waiting_for_idle_);
  }
  for (const Waiting& waiting : withdrawn) waiting.entered(Withdrawn());
  for (const Waiting& waiting : withdrawn_for_idle) waiting.entered(Withdrawn());
}

void BootGate::Leave(const Place& place) {
  {
    MutexLock lock(&mu_);
    taken_.remove(&place);
    memory_bytes_ -= place.need_.memory_bytes;
    if (place.need_.typical) {
      std::deque<absl::Duration>& times = times_[place.need_.clone];
      times.push_back(limits_.now() - place.since_);
      if (times.size() > kTimesKept) times.pop_front();
    }
  }
  Advance();
}

void BootGate::Advance() {
  bool looks = false;
  while (true) {
    const std::optional<HostMemory> memory = looks ? limits_.memory() : std::nullopt;
    Waiting next;
    absl::StatusOr<std::unique_ptr<Place>> place = std::unique_ptr<Place>();
    {
      MutexLock lock(&mu_);
      std::list<Waiting>& queue = waiting_.empty() && taken_.empty() ? waiting_for_idle_ : waiting_;
      if (queue.empty() || taken_.size() >= limits_.places) return;
      const BootNeed& need = queue.front().need;
      if (IsBounded(need) && !std::exchange(looks, true)) continue;
      looks = false;
      const absl::Status room = CheckRoomLocked(need, memory);
      // Whoever is the last to leave comes here again.
      if (!room.ok() && !taken_.empty()) return;
      if (room.ok()) {
        place = std::make_unique<Place>(this, need);
        taken_.push_back(place->get());
        memory_bytes_ += need.memory_bytes;
      } else {
        place = room;
        if (&queue == &waiting_) ++refused_for_memory_;
      }
      next = std::move(queue.front());
      queue.pop_front();
    }
    next.entered(std::move(place));
  }
}

absl::Status BootGate::CheckEver(const BootNeed& need) const {
  if (!IsBounded(need)) return absl::OkStatus();
  const std::optional<HostMemory> memory = limits_.memory();
  if (!memory.has_value() || need.memory_bytes + limits_.memory_reserve_bytes <= memory->total_bytes) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      "a machine of ", Mib(need.memory_bytes), " never fits: the host has ", Mib(memory->total_bytes), ", of which ",
      Mib(limits_.memory_reserve_bytes), " are kept back (", kReserve, "); ask for less memory"));
}

absl::Status BootGate::CheckRoomLocked(const BootNeed& need, const std::optional<HostMemory>& memory) const {
  if (!IsBounded(need) || !memory.has_value()) return absl::OkStatus();
  if (need.memory_bytes + memory_bytes_ + limits_.memory_reserve_bytes <= memory->available_bytes) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      "a machine of ", Mib(need.memory_bytes), " does not fit: ", Mib(memory->available_bytes),
      " of the host's memory are available, of which ", Mib(limits_.memory_reserve_bytes), " are kept back (", kReserve,
      "), and nothing is starting whose end would change that; stop other pods, or ask for less memory"));
}

absl::Status BootGate::CheckDeadlineLocked(const BootNeed& need) const {
  const absl::Duration wait = WaitLocked();
  const absl::Duration own = UsualLocked(need.clone);
  const absl::Duration left = need.deadline - limits_.now();
  if (wait + own <= left) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("it would not start in time: ", taken_.size(), " machines are starting and ", waiting_.size(),
                   " wait before it, which takes about ", Seconds(wait), ", and its own start ", Seconds(own),
                   "; the deadline is in ", Seconds(left), "; try again later, or with a longer deadline"));
}

absl::Duration BootGate::UsualLocked(bool clone) const {
  std::vector<absl::Duration> times(times_[clone].begin(), times_[clone].end());
  if (times.size() < kTimesNeeded) return absl::ZeroDuration();
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

absl::Duration BootGate::WaitLocked() const {
  const std::array<absl::Duration, 2> usual = {UsualLocked(/*clone=*/false), UsualLocked(/*clone=*/true)};
  const absl::Time now = limits_.now();
  absl::Duration work;
  for (const Place* place : taken_) {
    work += std::max(absl::ZeroDuration(), usual[place->need_.clone] - (now - place->since_));
  }
  for (const Waiting& waiting : waiting_) work += usual[waiting.need.clone];
  return taken_.size() < limits_.places && waiting_.empty() ? absl::ZeroDuration() : work / limits_.places;
}

BootGate::Load BootGate::load() const {
  MutexLock lock(&mu_);
  Load load;
  load.waiting = waiting_.size();
  load.taken = taken_.size();
  load.memory_bytes = memory_bytes_;
  load.wait = WaitLocked();
  load.refused_for_memory = refused_for_memory_;
  load.refused_for_deadline = refused_for_deadline_;
  return load;
}

}  // namespace vcd
