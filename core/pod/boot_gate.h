// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_BOOT_GATE_H_
#define VCD_CORE_POD_BOOT_GATE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

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

  // Runs `entered` with a place: at once on this thread, or later on the thread that gives one back. It must not block.
  void Enter(std::function<void(std::unique_ptr<Place>)> entered) ABSL_LOCKS_EXCLUDED(mu_);

  // How many wait, and how many have a place.
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mu_);
  size_t taken() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);

  const uint32_t places_;
  mutable Mutex mu_;
  uint32_t free_ ABSL_GUARDED_BY(mu_);
  std::deque<std::function<void(std::unique_ptr<Place>)>> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_BOOT_GATE_H_
