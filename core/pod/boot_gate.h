// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_BOOT_GATE_H_
#define VCD_CORE_POD_BOOT_GATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/os/cancellation.h"
#include "core/os/host_memory.h"
#include "core/os/mutex.h"

namespace vcd {

// What bounds the machines that start at once.
struct BootLimits {
  uint32_t places = 2;
  // What memory the host has now; asked without a lock held. Null, or no answer: memory bounds nothing.
  std::function<std::optional<HostMemory>()> memory;
  // How much of it is never given to machines that start.
  uint64_t memory_reserve_bytes = 0;
  std::function<absl::Time()> now = absl::Now;
};

// What a machine is to have when it starts.
struct BootNeed {
  uint64_t memory_bytes = 0;  // Of the host; 0: none that counts.
  bool clone = false;         // It goes on from a template, most likely: that takes another time than a boot.
  // Of who waits for it. One that cannot be met is told at once.
  absl::Time deadline = absl::InfiniteFuture();
  bool typical = true;  // How long it takes says how long others of its kind will.
};

// Bounds how many machines start at once, and what memory they may ask for together; first come first served: what is
// big holds up those behind it until there is room for it. Nobody waits on a thread: who gets a place is called back.
// Thread-safe; outlives its places.
//
// A machine fits while what it needs and what those need that are starting is available on the host beside the reserve.
// One that has started is in what the host says; one that is starting may be in part, and then counts for more than it
// takes.
class BootGate {
 public:
  explicit BootGate(const BootLimits& limits) : limits_(limits) {}

  // A place, given back by the destructor.
  class Place {
   public:
    Place(BootGate* gate, const BootNeed& need) : gate_(gate), need_(need), since_(gate->limits_.now()) {}
    ~Place() { gate_->Leave(*this); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    friend class BootGate;
    BootGate* const gate_;
    const BootNeed need_;
    const absl::Time since_;
  };
  using Entered = std::function<void(absl::StatusOr<std::unique_ptr<Place>>)>;

  // Runs `entered` once: with a place, at once on this thread or later on the thread that gives one back; or with an
  // error. It must not block. A pod waits at most once.
  //
  // Errors, for people: kResourceExhausted when the host is too small for the machine, and when it has no room for it
  // although nothing is starting: nothing here would change that. kDeadlineExceeded when others are before it and, by
  // what starts took of late, the deadline will have passed before it has started. The status of `cancellation`, which
  // lives until then and need not live longer, when that is cancelled already, or is and Withdraw is called; kCancelled
  // after WithdrawAll.
  void Enter(const std::string& pod_id, const BootNeed& need, const Cancellation& cancellation, Entered entered)
      ABSL_LOCKS_EXCLUDED(mu_);

  // What Enter would refuse of it now, for who comes later, when something is done first that takes long: the host is
  // too small, or has no room although nothing is starting, or others are before it. OK promises nothing.
  absl::Status Foresee(const BootNeed& need) ABSL_LOCKS_EXCLUDED(mu_);

  // As Enter before all who wait, for what makes their waiting shorter and is no pod's: only WithdrawAll ends it.
  void EnterFirst(const BootNeed& need, Entered entered) ABSL_LOCKS_EXCLUDED(mu_);

  // The same once nobody has a place or waits for one, for what may always wait: only WithdrawAll ends it.
  void EnterIdle(const BootNeed& need, Entered entered) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the waiting of a pod whose cancellation is cancelled; to be called after that. Does nothing when it does not
  // wait, or is not: whoever was cancelled may have gone meanwhile, and another start of the pod have come.
  void Withdraw(const std::string& pod_id) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends all waiting.
  void WithdrawAll() ABSL_LOCKS_EXCLUDED(mu_);

  // What is now.
  struct Load {
    size_t waiting = 0;         // But for those of EnterIdle.
    size_t taken = 0;           // Places.
    uint64_t memory_bytes = 0;  // That those who have places need.
    absl::Duration wait;        // What who comes now would wait, by what starts took of late.
    // Refused so far, since there was no room or a deadline could not be met.
    uint64_t refused_for_memory = 0;
    uint64_t refused_for_deadline = 0;
  };
  Load load() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiting {
    std::string pod_id;
    BootNeed need;
    Entered entered;
    const Cancellation* cancellation = nullptr;  // Of a pod.
  };
  void Leave(const Place& place) ABSL_LOCKS_EXCLUDED(mu_);
  // Lets in whoever is next, as long as there is a place and memory.
  void Advance() ABSL_LOCKS_EXCLUDED(mu_);
  // Whether memory bounds that.
  bool IsBounded(const BootNeed& need) const { return limits_.memory != nullptr && need.memory_bytes > 0; }
  // What is told to who comes, before it waits; counted.
  absl::Status Refusal(const BootNeed& need) ABSL_LOCKS_EXCLUDED(mu_);
  // Why it could not start even on a host that does nothing else.
  absl::Status CheckEver(const BootNeed& need) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CheckRoomLocked(const BootNeed& need, const std::optional<HostMemory>& memory) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckDeadlineLocked(const BootNeed& need) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What a start of that kind takes: the median of the last ones; zero until some are known.
  absl::Duration UsualLocked(bool clone) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Duration WaitLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const BootLimits limits_;
  mutable Mutex mu_;
  std::list<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::list<Waiting> waiting_for_idle_ ABSL_GUARDED_BY(mu_);
  std::list<const Place*> taken_ ABSL_GUARDED_BY(mu_);
  uint64_t memory_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // Of those.
  // How long places were held of late: by boots, and by clones.
  std::array<std::deque<absl::Duration>, 2> times_ ABSL_GUARDED_BY(mu_);
  uint64_t refused_for_memory_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t refused_for_deadline_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_BOOT_GATE_H_
