// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_METRIC_TESTING_RECORDED_METRICS_H_
#define VCD_CORE_METRIC_TESTING_RECORDED_METRICS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/metric/runtime_metrics.h"
#include "core/os/mutex.h"

namespace vcd {

// Keeps what it is told. Thread-safe.
class RecordedMetrics final : public RuntimeMetrics {
 public:
  void OperationEnded(const OperationReport& report) override {
    MutexLock lock(&mu_);
    operations_.push_back(report);
  }
  void PodRecovered(RecoveryOutcome outcome) override {
    MutexLock lock(&mu_);
    recovered_.push_back(outcome);
  }
  void Reconciled(absl::Duration) override {
    MutexLock lock(&mu_);
    ++reconciled_;
  }
  void HeartbeatMissed() override {
    MutexLock lock(&mu_);
    ++heartbeats_missed_;
  }
  void GuestFoundSilent() override {
    MutexLock lock(&mu_);
    ++guests_silent_;
  }
  void MachineStarted(MachineStartKind kind) override {
    MutexLock lock(&mu_);
    machine_starts_.push_back(kind);
  }
  void TemplateBuilt(bool) override {}
  void WarmMachine(WarmMachineEvent event) override {
    MutexLock lock(&mu_);
    ++warm_machine_events_[event];
  }
  void WarmMachinesWait(size_t count) override {
    MutexLock lock(&mu_);
    warm_machines_ = count;
  }
  void Synced(SyncTarget target, absl::Duration, bool ok) override {
    MutexLock lock(&mu_);
    syncs_.emplace_back(target, ok);
  }

  std::vector<OperationReport> operations() const {
    MutexLock lock(&mu_);
    return operations_;
  }
  // Names of the phases of the last operation of that name, in the order in which it came to them; empty when there was
  // none.
  std::vector<std::string> PhasesOf(const std::string& operation) const {
    std::vector<std::string> names;
    for (const OperationReport& report : operations()) {
      if (report.operation != operation) continue;
      names.clear();
      for (const auto& [phase, time] : report.phases) names.emplace_back(PhaseName(phase));
    }
    return names;
  }
  std::vector<RecoveryOutcome> recovered() const {
    MutexLock lock(&mu_);
    return recovered_;
  }
  int reconciled() const {
    MutexLock lock(&mu_);
    return reconciled_;
  }
  int heartbeats_missed() const {
    MutexLock lock(&mu_);
    return heartbeats_missed_;
  }
  int guests_silent() const {
    MutexLock lock(&mu_);
    return guests_silent_;
  }
  std::vector<MachineStartKind> machine_starts() const {
    MutexLock lock(&mu_);
    return machine_starts_;
  }
  int warm_machine_events(WarmMachineEvent event) const {
    MutexLock lock(&mu_);
    const auto found = warm_machine_events_.find(event);
    return found == warm_machine_events_.end() ? 0 : found->second;
  }
  size_t warm_machines() const {
    MutexLock lock(&mu_);
    return warm_machines_;
  }
  std::vector<std::pair<SyncTarget, bool>> syncs() const {
    MutexLock lock(&mu_);
    return syncs_;
  }

 private:
  mutable Mutex mu_;
  std::vector<OperationReport> operations_ ABSL_GUARDED_BY(mu_);
  std::vector<RecoveryOutcome> recovered_ ABSL_GUARDED_BY(mu_);
  int heartbeats_missed_ ABSL_GUARDED_BY(mu_) = 0;
  int guests_silent_ ABSL_GUARDED_BY(mu_) = 0;
  int reconciled_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<MachineStartKind> machine_starts_ ABSL_GUARDED_BY(mu_);
  std::map<WarmMachineEvent, int> warm_machine_events_ ABSL_GUARDED_BY(mu_);
  size_t warm_machines_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::pair<SyncTarget, bool>> syncs_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_METRIC_TESTING_RECORDED_METRICS_H_
