// SPDX-License-Identifier: Apache-2.0
#include "core/metric/runtime_metrics.h"

namespace vcd {

const char* PhaseName(OperationPhase phase) {
  switch (phase) {
    case OperationPhase::kLockWait:
      return "lock_wait";
    case OperationPhase::kBootQueue:
      return "boot_queue";
    case OperationPhase::kPersist:
      return "persist";
    case OperationPhase::kNetwork:
      return "network";
    case OperationPhase::kVmmBoot:
      return "vmm_boot";
    case OperationPhase::kGuestConnect:
      return "guest_connect";
    case OperationPhase::kContainers:
      return "containers";
    case OperationPhase::kRelease:
      return "release";
    case OperationPhase::kHooks:
      return "hooks";
    case OperationPhase::kTearDown:
      return "tear_down";
    case OperationPhase::kUndo:
      return "undo";
    case OperationPhase::kWork:
      return "work";
  }
  return "work";
}

const char* MachineStartName(MachineStartKind kind) {
  switch (kind) {
    case MachineStartKind::kCold:
      return "cold";
    case MachineStartKind::kClone:
      return "clone";
    case MachineStartKind::kFallback:
      return "fallback";
    case MachineStartKind::kRestored:
      return "restored";
    case MachineStartKind::kWarm:
      return "warm";
  }
  return "cold";
}

const char* WarmMachineEventName(WarmMachineEvent event) {
  switch (event) {
    case WarmMachineEvent::kMade:
      return "made";
    case WarmMachineEvent::kFailed:
      return "failed";
    case WarmMachineEvent::kTaken:
      return "taken";
    case WarmMachineEvent::kMissed:
      return "missed";
    case WarmMachineEvent::kEnded:
      return "ended";
  }
  return "ended";
}

const char* RecoveryOutcomeName(RecoveryOutcome outcome) {
  switch (outcome) {
    case RecoveryOutcome::kAdopted:
      return "adopted";
    case RecoveryOutcome::kUnchanged:
      return "unchanged";
    case RecoveryOutcome::kRebooted:
      return "rebooted";
    case RecoveryOutcome::kFinished:
      return "finished";
    case RecoveryOutcome::kUndone:
      return "undone";
    case RecoveryOutcome::kLost:
      return "lost";
    case RecoveryOutcome::kDamaged:
      return "damaged";
    case RecoveryOutcome::kPostponed:
      return "postponed";
  }
  return "unchanged";
}

}  // namespace vcd
