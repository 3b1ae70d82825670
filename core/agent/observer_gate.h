// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_OBSERVER_GATE_H_
#define VCD_CORE_AGENT_OBSERVER_GATE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "core/agent/agent.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"

namespace vcd {

// The way from a session to its observer, which a session closes when it is destroyed: no call to the observer is
// running or follows then. Thread-safe. `io` outlives the gate; the observer lives until Close has returned.
class ObserverGate {
 public:
  ObserverGate(IoThread& io, GuestObserver& observer) : io_(io), observer_(observer) {}
  ObserverGate(const ObserverGate&) = delete;
  ObserverGate& operator=(const ObserverGate&) = delete;

  // Makes the call unless closed. On the I/O thread only, and not within another call.
  void Call(const std::function<void(GuestObserver&)>& call) ABSL_LOCKS_EXCLUDED(calling_) {
    MutexLock lock(&calling_);
    if (!closed_.load()) call(observer_);
  }

  // Makes the call on the I/O thread, soon, in the order of these calls.
  static void Post(const std::shared_ptr<ObserverGate>& gate, std::function<void(GuestObserver&)> call) {
    gate->io_.Post([gate, call = std::move(call)] { gate->Call(call); });
  }

  // Ends the calls and waits for one that is running, so the caller must hold no lock that the observer takes. On the
  // I/O thread, where none else can be running, it also may be called from within one.
  void Close() ABSL_LOCKS_EXCLUDED(calling_) {
    closed_.store(true);
    if (io_.OnThread()) return;
    MutexLock lock(&calling_);
  }

 private:
  IoThread& io_;
  GuestObserver& observer_;
  std::atomic<bool> closed_{false};
  Mutex calling_;
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_OBSERVER_GATE_H_
