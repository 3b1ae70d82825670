// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_HEARTBEAT_H_
#define VCD_CORE_POD_HEARTBEAT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "core/metric/runtime_metrics.h"
#include "core/os/io_thread.h"

namespace vcd {

// Whose life is watched. Called on the I/O thread; must not block.
class HeartbeatSubject {
 public:
  virtual ~HeartbeatSubject() = default;

  // A count that grows with every sign of life, and asks for another sign. Nothing when none is to be expected: there
  // is no guest, or it stands still.
  virtual std::optional<uint64_t> AskForLife() = 0;

  // It gave none for that long. Once for each silence.
  virtual void FoundSilent(absl::Duration time) = 0;
};

// Asks every guest for a sign of life once in an interval, and gives up who gives none several times in a row: never
// for being slow, and never for time that this daemon itself did not run. The guests take turns within the interval;
// all share one timer, and a pod costs some words. Thread-safe.
//
// A guest that falls silent is found after at most `timeout`, rounded up to whole intervals, and one interval more.
class Heartbeat {
 public:
  struct Options {
    absl::Duration interval;  // Zero: nobody is ever asked.
    absl::Duration timeout;
  };

  // Parts of the interval; each subject has its turn in one of them.
  static constexpr size_t kTurns = 16;

  // All outlive it.
  Heartbeat(IoThread& io, const Options& options, RuntimeMetrics& metrics);
  ~Heartbeat() { Stop(); }
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // Watches it for as long as it exists.
  void Add(std::weak_ptr<HeartbeatSubject> subject);

  // Asks nobody any more; no call to a subject is running or follows. Not on the I/O thread, nor with locks held that
  // subjects take.
  void Stop();

  // What the timer does, for tests: the turn of one part of the subjects.
  void Beat(size_t turn);

 private:
  class State;
  const std::shared_ptr<State> state_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_HEARTBEAT_H_
