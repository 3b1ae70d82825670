// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_BOOT_GATE_H_
#define VCD_CORE_POD_BOOT_GATE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "core/os/cancellation.h"
#include "core/os/mutex.h"

namespace vcd {

// Bounds how many machines boot at once, first come first served. Nobody waits on a thread: who gets a place is called
// back. Thread-safe; outlives its places.
class BootGate {
 public:
  explicit BootGate(uint32_t places) : places_(places), free_(places) {}

  // A place, given back by the destructor.
  class Place {
   public:
    explicit Place(BootGate* gate) : gate_(gate) {}
    ~Place() { gate_->Leave(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    BootGate* const gate_;
  };
  using Entered = std::function<void(std::unique_ptr<Place>)>;

  // Runs `entered` once: with a place, at once on this thread or later on the thread that gives one back; or with null,
  // when `cancellation` is cancelled already, or Withdraw is called. It must not block. A pod waits at most once.
  void Enter(const std::string& pod_id, const Cancellation& cancellation, Entered entered) ABSL_LOCKS_EXCLUDED(mu_);

  // The same before all who wait, for what makes their waiting shorter and is no pod's: only WithdrawAll ends it.
  void EnterFirst(Entered entered) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the waiting of a pod. To be called after its cancellation, so that one that enters just then sees that. Does
  // nothing when it does not wait.
  void Withdraw(const std::string& pod_id) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends all waiting.
  void WithdrawAll() ABSL_LOCKS_EXCLUDED(mu_);

  // How many wait, and how many have a place.
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mu_);
  size_t taken() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiting {
    std::string pod_id;
    Entered entered;
  };
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);

  const uint32_t places_;
  mutable Mutex mu_;
  uint32_t free_ ABSL_GUARDED_BY(mu_);
  std::list<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_BOOT_GATE_H_
