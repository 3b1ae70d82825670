// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_METRIC_RUNTIME_METRICS_H_
#define VCD_CORE_METRIC_RUNTIME_METRICS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace vcd {

// What an operation on a pod spends its time on; it is in one phase at a time.
enum class OperationPhase {
  kLockWait,      // Waiting for the pod's lock.
  kBootQueue,     // Waiting for a place in the boot gate.
  kPersist,       // Writing the records of what is about to be done, or was.
  kNetwork,       // Setting the network up.
  kVmmBoot,       // From the start of the VMM until its guest runs.
  kGuestConnect,  // From there to the answer of the guest's agent.
  kContainers,    // Making the containers in the guest, held.
  kRelease,       // Letting the held containers go.
  kHooks,         // Running hooks, but those of a pod that is taken down.
  kTearDown,      // Ending containers, guest, machine and network, and recording it.
  kUndo,          // Taking back what was done before a step failed.
  kWork,          // All else.
};
inline constexpr int kOperationPhases = 12;

// "lock_wait", "boot_queue", …
const char* PhaseName(OperationPhase phase);

// An operation that has ended.
struct OperationReport {
  std::string operation;  // One of a fixed set: "StopPod". Never a pod's id or anything else that a client chose.
  absl::StatusCode code = absl::StatusCode::kOk;
  // Each phase that it was in, once, with all the time spent in it.
  std::vector<std::pair<OperationPhase, absl::Duration>> phases;
};

// What came of a pod that was found on disk at the start.
enum class RecoveryOutcome {
  kAdopted,    // Its machine runs, and is ours again.
  kUnchanged,  // It had no machine, and is as it was recorded.
  kRebooted,   // The host was restarted: stopped.
  kFinished,   // A stop or a deletion was under way: done now.
  kUndone,     // A creation or a start was under way: taken back.
  kLost,       // Its machine has ended or does not answer: failed.
  kDamaged,    // A record could not be read: failed.
  kPostponed,  // The daemon ended before: left to the next one.
};
inline constexpr int kRecoveryOutcomes = 8;

// "adopted", "unchanged", …
const char* RecoveryOutcomeName(RecoveryOutcome outcome);

// How a machine was started.
enum class MachineStartKind {
  kCold,      // It booted, as there was no template for it.
  kClone,     // From a template.
  kFallback,  // It booted, as the start from a template failed.
  kRestored,  // From a checkpoint.
  kWarm,      // From a template, before the pod was asked for.
};
inline constexpr int kMachineStartKinds = 5;

// "cold", "clone", "fallback", "restored", "warm".
const char* MachineStartName(MachineStartKind kind);

// What happens to machines that are made from templates and wait for pods.
enum class WarmMachineEvent {
  kMade,
  kFailed,  // It could not be made.
  kTaken,   // By a pod.
  kMissed,  // A pod that could have had one found none.
  kEnded,   // Without a pod, or of no use to one.
};
inline constexpr int kWarmMachineEvents = 5;

// "made", "failed", "taken", "missed", "ended".
const char* WarmMachineEventName(WarmMachineEvent event);

enum class SyncTarget { kFile, kDirectory };

// Whoever counts what the pod runtime does. Called on any thread, with locks held and in the middle of operations, so
// it must neither block nor call back. Outlives what it is given to.
class RuntimeMetrics {
 public:
  virtual ~RuntimeMetrics() = default;

  virtual void OperationEnded(const OperationReport& report) = 0;

  virtual void PodRecovered(RecoveryOutcome outcome) = 0;

  // Nothing is left to reconcile. May come again while records are still being loaded; the last time counts.
  virtual void Reconciled(absl::Duration since_open) = 0;

  // A guest was asked for a sign of life, and gave none until the next time.
  virtual void HeartbeatMissed() = 0;
  // A guest was given up for that.
  virtual void GuestFoundSilent() = 0;

  // The guest of a machine has answered for the first time.
  virtual void MachineStarted(MachineStartKind kind) = 0;
  // A template was made, or could not be.
  virtual void TemplateBuilt(bool ok) = 0;
  virtual void WarmMachine(WarmMachineEvent event) = 0;
  // So many wait now.
  virtual void WarmMachinesWait(size_t count) = 0;

  // One fsync, and how long it took.
  virtual void Synced(SyncTarget target, absl::Duration time, bool ok) = 0;
};

// For a daemon whose metrics nobody reads.
class NullRuntimeMetrics final : public RuntimeMetrics {
 public:
  void OperationEnded(const OperationReport&) override {}
  void PodRecovered(RecoveryOutcome) override {}
  void Reconciled(absl::Duration) override {}
  void HeartbeatMissed() override {}
  void GuestFoundSilent() override {}
  void MachineStarted(MachineStartKind) override {}
  void TemplateBuilt(bool) override {}
  void WarmMachine(WarmMachineEvent) override {}
  void WarmMachinesWait(size_t) override {}
  void Synced(SyncTarget, absl::Duration, bool) override {}
};

}  // namespace vcd

#endif  // VCD_CORE_METRIC_RUNTIME_METRICS_H_
