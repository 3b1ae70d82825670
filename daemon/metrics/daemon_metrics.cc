// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/daemon_metrics.h"

#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "daemon/metrics/process_stats.h"
#include "daemon/version.h"

namespace vcd {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// The runtime has about twenty.
constexpr size_t kMaxOperations = 64;

const prometheus::Histogram::BucketBoundaries& PhaseBuckets() {
  static const auto& buckets = *new prometheus::Histogram::BucketBoundaries{
      0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return buckets;
}

const prometheus::Histogram::BucketBoundaries& SyncBuckets() {
  static const auto& buckets = *new prometheus::Histogram::BucketBoundaries{
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};
  return buckets;
}

constexpr const char* kSyncTargets[] = {"file", "directory"};

// A family of values that are read rather than counted.
class Reading {
 public:
  Reading(std::string name, std::string help, MetricType type = MetricType::Gauge) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }

  Reading& Add(double value, std::vector<ClientMetric::Label> labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family_.metric.push_back(std::move(metric));
    return *this;
  }

  void MoveTo(std::vector<MetricFamily>& families) { families.push_back(std::move(family_)); }

 private:
  MetricFamily family_;
};

std::string StateLabel(v1::PodState state) {
  const std::string name = v1::PodState_Name(state);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "POD_STATE_"));
}

void AddPods(const std::vector<std::shared_ptr<const PodSnapshot>>& pods, std::vector<MetricFamily>& families) {
  std::map<v1::PodState, int> counts;
  // Also those that there are none of: a series that comes and goes is hard to alert on.
  for (int state = v1::POD_STATE_CREATING; state <= v1::PodState_MAX; ++state) {
    if (v1::PodState_IsValid(state)) counts[static_cast<v1::PodState>(state)] = 0;
  }
  for (const std::shared_ptr<const PodSnapshot>& pod : pods) ++counts[pod->state()];
  Reading reading("vcd_pods", "Pods, by state.");
  for (const auto& [state, count] : counts) reading.Add(count, {{"state", StateLabel(state)}});
  reading.MoveTo(families);
}

void AddBoots(const BootGate::Load& boots, uint32_t places, std::vector<MetricFamily>& families) {
  const auto add = [&families](const char* name, const char* help, double value) {
    Reading(name, help).Add(value).MoveTo(families);
  };
  add("vcd_boots_running", "VMs that boot now.", static_cast<double>(boots.taken));
  add("vcd_boots_waiting", "Boots that wait until others have ended.", static_cast<double>(boots.waiting));
  add("vcd_boots_limit", "VMs that may boot at once.", places);
  add("vcd_boots_memory_bytes", "Memory of the host that the VMs that boot now need.",
      static_cast<double>(boots.memory_bytes));
  add("vcd_boots_expected_wait_seconds", "How long a boot that comes now would wait, by what boots took of late.",
      absl::ToDoubleSeconds(boots.wait));
  Reading("vcd_boots_refused_total", "Boots that were refused, by what there was not enough of.", MetricType::Counter)
      .Add(static_cast<double>(boots.refused_for_memory), {{"cause", "memory"}})
      .Add(static_cast<double>(boots.refused_for_deadline), {{"cause", "deadline"}})
      .MoveTo(families);
}

void AddProcess(absl::Time started, std::vector<MetricFamily>& families) {
  const ProcessStats stats = ReadProcessStats();
  const auto add = [&families](const char* name, const char* help, double value, MetricType type) {
    Reading(name, help, type).Add(value).MoveTo(families);
  };
  add("process_cpu_seconds_total", "CPU time of the daemon, user and system, in seconds.", stats.cpu_seconds,
      MetricType::Counter);
  add("process_resident_memory_bytes", "Memory of the daemon that is in RAM, in bytes.",
      static_cast<double>(stats.resident_bytes), MetricType::Gauge);
  add("process_virtual_memory_bytes", "Address space of the daemon, in bytes.",
      static_cast<double>(stats.virtual_bytes), MetricType::Gauge);
  add("process_open_fds", "Descriptors that the daemon has open.", static_cast<double>(stats.open_fds),
      MetricType::Gauge);
  add("process_max_fds", "Descriptors that the daemon may have open.", static_cast<double>(stats.max_fds),
      MetricType::Gauge);
  add("process_threads", "Threads of the daemon.", static_cast<double>(stats.threads), MetricType::Gauge);
  add("process_start_time_seconds", "When the daemon started, in seconds since 1970.",
      absl::ToDoubleSeconds(started - absl::UnixEpoch()), MetricType::Gauge);
}

}  // namespace

DaemonMetrics::DaemonMetrics()
    : started_(absl::Now()),
      operations_ended_(prometheus::BuildCounter()
                            .Name("vcd_pod_operations_total")
                            .Help("Operations on pods that have ended, by operation and status code.")
                            .Register(registry_)),
      operation_phases_(prometheus::BuildHistogram()
                            .Name("vcd_pod_operation_seconds")
                            .Help("Time that an operation on a pod spent in a phase, by operation and phase.")
                            .Register(registry_)),
      recovery_time_(prometheus::BuildGauge()
                         .Name("vcd_recovery_seconds")
                         .Help("Time from the daemon's start until every pod found on disk was accounted for.")
                         .Register(registry_)),
      heartbeats_missed_(prometheus::BuildCounter()
                             .Name("vcd_guest_heartbeats_missed_total")
                             .Help("Times that a guest gave no sign of life within a heartbeat's interval.")
                             .Register(registry_)
                             .Add({})),
      guests_silent_(prometheus::BuildCounter()
                         .Name("vcd_guests_silent_total")
                         .Help("Guests given up because they gave no sign of life.")
                         .Register(registry_)
                         .Add({})) {
  auto& recovered = prometheus::BuildCounter()
                        .Name("vcd_recovered_pods_total")
                        .Help("Pods found on disk at the daemon's start, by what came of them.")
                        .Register(registry_);
  for (int i = 0; i < kRecoveryOutcomes; ++i) {
    recovered_[static_cast<size_t>(i)] =
        &recovered.Add({{"outcome", RecoveryOutcomeName(static_cast<RecoveryOutcome>(i))}});
  }
  auto& starts =
      prometheus::BuildCounter()
          .Name("vcd_machine_starts_total")
          .Help(
              "Machines whose guest answered, by how they were started: cold (booted), clone (from a "
              "template), fallback (booted after the start from a template failed), restored (from a checkpoint), "
              "warm (from a template, and waited for the pod).")
          .Register(registry_);
  for (int i = 0; i < kMachineStartKinds; ++i) {
    machine_starts_[static_cast<size_t>(i)] =
        &starts.Add({{"start", MachineStartName(static_cast<MachineStartKind>(i))}});
  }
  auto& built = prometheus::BuildCounter()
                    .Name("vcd_templates_built_total")
                    .Help("Templates that were made, or could not be.")
                    .Register(registry_);
  templates_built_ = {&built.Add({{"result", "failed"}}), &built.Add({{"result", "made"}})};
  auto& warm_events = prometheus::BuildCounter()
                          .Name("vcd_warm_machine_events_total")
                          .Help(
                              "Machines that are made from templates and wait for pods: made, failed (to be made), "
                              "taken (by a pod), missed (a pod found none), ended (without a pod).")
                          .Register(registry_);
  for (int i = 0; i < kWarmMachineEvents; ++i) {
    warm_machine_events_[static_cast<size_t>(i)] =
        &warm_events.Add({{"event", WarmMachineEventName(static_cast<WarmMachineEvent>(i))}});
  }
  warm_machines_ = &prometheus::BuildGauge()
                        .Name("vcd_warm_machines")
                        .Help("Machines that wait for pods.")
                        .Register(registry_)
                        .Add({});
  auto& syncs =
      prometheus::BuildCounter().Name("vcd_fsyncs_total").Help("Calls of fsync for pods' records.").Register(registry_);
  auto& failed_syncs = prometheus::BuildCounter()
                           .Name("vcd_fsync_errors_total")
                           .Help("Calls of fsync for pods' records that failed.")
                           .Register(registry_);
  auto& sync_times = prometheus::BuildHistogram()
                         .Name("vcd_fsync_seconds")
                         .Help("Time of calls of fsync for pods' records.")
                         .Register(registry_);
  for (size_t i = 0; i < 2; ++i) {
    syncs_[i] = &syncs.Add({{"target", kSyncTargets[i]}});
    failed_syncs_[i] = &failed_syncs.Add({{"target", kSyncTargets[i]}});
    sync_times_[i] = &sync_times.Add({{"target", kSyncTargets[i]}}, SyncBuckets());
  }
}

DaemonMetrics::Operation& DaemonMetrics::FindOperation(const std::string& name, std::string* label) {
  *label = operations_.size() < kMaxOperations || operations_.count(name) != 0 ? name : "other";
  return operations_[*label];
}

void DaemonMetrics::OperationEnded(const OperationReport& report) {
  MutexLock lock(&mu_);
  std::string label;
  Operation& operation = FindOperation(report.operation, &label);
  prometheus::Counter*& ended = operation.ended[report.code];
  if (ended == nullptr) {
    ended = &operations_ended_.Add({{"operation", label}, {"code", absl::StatusCodeToString(report.code)}});
  }
  ended->Increment();
  for (const auto& [phase, time] : report.phases) {
    prometheus::Histogram*& known = operation.phases[static_cast<size_t>(phase)];
    if (known == nullptr) {
      known = &operation_phases_.Add({{"operation", label}, {"phase", PhaseName(phase)}}, PhaseBuckets());
    }
    known->Observe(absl::ToDoubleSeconds(time));
  }
}

void DaemonMetrics::PodRecovered(RecoveryOutcome outcome) { recovered_[static_cast<size_t>(outcome)]->Increment(); }

void DaemonMetrics::Reconciled(absl::Duration since_open) {
  recovery_time_.Add({}).Set(absl::ToDoubleSeconds(since_open));
}

void DaemonMetrics::HeartbeatMissed() { heartbeats_missed_.Increment(); }
void DaemonMetrics::GuestFoundSilent() { guests_silent_.Increment(); }

void DaemonMetrics::MachineStarted(MachineStartKind kind) { machine_starts_[static_cast<size_t>(kind)]->Increment(); }
void DaemonMetrics::TemplateBuilt(bool ok) { templates_built_[ok ? 1 : 0]->Increment(); }

void DaemonMetrics::WarmMachine(WarmMachineEvent event) {
  warm_machine_events_[static_cast<size_t>(event)]->Increment();
}
void DaemonMetrics::WarmMachinesWait(size_t count) { warm_machines_->Set(static_cast<double>(count)); }

void DaemonMetrics::Synced(SyncTarget target, absl::Duration time, bool ok) {
  const size_t index = static_cast<size_t>(target);
  syncs_[index]->Increment();
  if (!ok) failed_syncs_[index]->Increment();
  sync_times_[index]->Observe(absl::ToDoubleSeconds(time));
}

std::string DaemonMetrics::Render(const Now& now) const {
  std::vector<MetricFamily> families;
  Reading("vcd_build_info", "1, with the version of the daemon.").Add(1, {{"version", kVersion}}).MoveTo(families);
  AddPods(now.pods, families);
  AddBoots(now.load.boots, now.boot_places, families);
  Reading("vcd_reconciling_pods", "Pods found on disk at the daemon's start that are not accounted for yet.")
      .Add(static_cast<double>(now.load.pods_reconciling))
      .MoveTo(families);
  for (MetricFamily& family : registry_.Collect()) {
    // One that has no series yet would be a heading without content.
    if (!family.metric.empty()) families.push_back(std::move(family));
  }
  AddProcess(started_, families);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace vcd
