// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_METRICS_DAEMON_METRICS_H_
#define VCD_DAEMON_METRICS_DAEMON_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/metric/runtime_metrics.h"
#include "core/os/mutex.h"
#include "core/pod/pod_runtime.h"
#include "daemon/metrics/rpc_metrics.h"

namespace vcd {

// All that vcd counts, for Prometheus; docs/reference/metrics.md lists it. No label holds anything that a client chose,
// so their number is bounded. Thread-safe.
class DaemonMetrics final : public RuntimeMetrics {
 public:
  DaemonMetrics();

  RpcMetrics& rpcs() { return rpcs_; }

  // What is not counted but looked at when somebody asks.
  struct Now {
    std::vector<std::shared_ptr<const PodSnapshot>> pods;
    RuntimeLoad load;
    uint32_t boot_places = 0;
  };

  // Everything, in Prometheus' text format 0.0.4. Takes a moment for each pod; reads /proc.
  std::string Render(const Now& now) const;
  static constexpr char kContentType[] = "text/plain; version=0.0.4; charset=utf-8";

  // RuntimeMetrics.
  void OperationEnded(const OperationReport& report) override ABSL_LOCKS_EXCLUDED(mu_);
  void PodRecovered(RecoveryOutcome outcome) override;
  void Reconciled(absl::Duration since_open) override;
  void HeartbeatMissed() override;
  void GuestFoundSilent() override;
  void MachineStarted(MachineStartKind kind) override;
  void TemplateBuilt(bool ok) override;
  void WarmMachine(WarmMachineEvent event) override;
  void WarmMachinesWait(size_t count) override;
  void Synced(SyncTarget target, absl::Duration time, bool ok) override;

 private:
  struct Operation {
    std::map<absl::StatusCode, prometheus::Counter*> ended;
    std::array<prometheus::Histogram*, kOperationPhases> phases = {};  // Null until one was in it.
  };
  Operation& FindOperation(const std::string& name, std::string* label) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const absl::Time started_;
  prometheus::Registry registry_;
  RpcMetrics rpcs_{registry_};
  prometheus::Family<prometheus::Counter>& operations_ended_;
  prometheus::Family<prometheus::Histogram>& operation_phases_;
  prometheus::Family<prometheus::Gauge>& recovery_time_;
  std::array<prometheus::Counter*, kRecoveryOutcomes> recovered_;
  prometheus::Counter& heartbeats_missed_;
  prometheus::Counter& guests_silent_;
  std::array<prometheus::Counter*, kMachineStartKinds> machine_starts_;
  std::array<prometheus::Counter*, kWarmMachineEvents> warm_machine_events_;
  prometheus::Gauge* warm_machines_ = nullptr;
  std::array<prometheus::Counter*, 2> templates_built_;  // Failed, and made.
  std::array<prometheus::Counter*, 2> syncs_;            // By SyncTarget, as the next two.
  std::array<prometheus::Counter*, 2> failed_syncs_;
  std::array<prometheus::Histogram*, 2> sync_times_;

  Mutex mu_;
  std::map<std::string, Operation> operations_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_DAEMON_METRICS_DAEMON_METRICS_H_
