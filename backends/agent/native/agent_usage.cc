// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/agent_usage.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"
#include "core/model/container_limits.h"

namespace vcd {
namespace {

constexpr size_t kMaxIdBytes = 128;
constexpr size_t kMaxArgumentBytes = 4096;
constexpr size_t kMaxUserBytes = 256;
// Beyond any time that a timestamp of an answer can hold.
constexpr uint64_t kMaxUnixNs = uint64_t{1} << 62;

void SetTime(uint64_t unix_ns, google::protobuf::Timestamp* time) {
  constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
  if (unix_ns > kMaxUnixNs) return;
  time->set_seconds(static_cast<int64_t>(unix_ns / kNanosecondsPerSecond));
  time->set_nanos(static_cast<int32_t>(unix_ns % kNanosecondsPerSecond));
}

uint64_t Figure(const google::protobuf::Map<std::string, uint64_t>& figures, const char* name) {
  const auto found = figures.find(name);
  return found == figures.end() ? 0 : found->second;
}

double Percent(double value) { return std::isfinite(value) && value >= 0 && value <= 100 ? value : 0; }

v1::ProcessInfo FromAgentProcess(const agent::v1::ProcessList::Entry& entry, uint64_t now_unix_ns) {
  v1::ProcessInfo info;
  info.set_pid(entry.pid());
  info.set_parent_pid(entry.parent_pid());
  info.set_container_pid(entry.container_pid());
  info.set_uid(entry.uid());
  info.set_user(CleanGuestText(entry.user(), kMaxUserBytes));
  info.set_state(CleanGuestText(entry.state(), 1));
  info.set_threads(entry.threads());
  SetTime(entry.started_unix_ns(), info.mutable_started_at());
  info.set_cpu_time_us(entry.cpu_time_us());
  if (now_unix_ns > entry.started_unix_ns()) {
    const double life_us = static_cast<double>(now_unix_ns - entry.started_unix_ns()) / 1000;
    info.set_cpu_percent(100 * static_cast<double>(entry.cpu_time_us()) / life_us);
  }
  info.set_rss_bytes(entry.rss_bytes());
  info.set_virtual_bytes(entry.virtual_bytes());
  for (const std::string& arg : entry.args()) info.add_args(CleanGuestText(arg, kMaxArgumentBytes));
  info.set_process_id(CleanGuestText(entry.process_id(), kMaxIdBytes));
  return info;
}

v1::ContainerStats FromAgentFigures(const agent::v1::Stats::Container& container) {
  const auto figure = [&container](const char* name) { return Figure(container.figures(), name); };
  v1::ContainerStats stats;
  stats.set_container_id(CleanGuestText(container.container_id(), kMaxIdBytes));
  SetTime(static_cast<uint64_t>(absl::GetCurrentTimeNanos()), stats.mutable_time());
  stats.set_cpu_usage_us(figure("cpu.usage_usec"));
  stats.set_cpu_user_us(figure("cpu.user_usec"));
  stats.set_cpu_system_us(figure("cpu.system_usec"));
  stats.set_cpu_periods(figure("cpu.nr_periods"));
  stats.set_cpu_throttled_periods(figure("cpu.nr_throttled"));
  stats.set_cpu_throttled_us(figure("cpu.throttled_usec"));
  const uint64_t usage = figure("memory.current");
  const uint64_t inactive = figure("memory.inactive_file");
  stats.set_memory_usage_bytes(usage);
  stats.set_memory_working_set_bytes(usage > inactive ? usage - inactive : 0);
  stats.set_memory_anonymous_bytes(figure("memory.anon"));
  stats.set_memory_limit_bytes(figure("memory.max"));
  stats.set_memory_peak_bytes(figure("memory.peak"));
  stats.set_swap_usage_bytes(figure("memory.swap.current"));
  stats.set_oom_kills(figure("memory.oom_kill"));
  stats.set_pids(figure("pids.current"));
  stats.set_pids_limit(figure("pids.max"));
  stats.set_io_read_bytes(figure("io.rbytes"));
  stats.set_io_write_bytes(figure("io.wbytes"));
  stats.set_io_read_operations(figure("io.rios"));
  stats.set_io_write_operations(figure("io.wios"));
  return stats;
}

}  // namespace

agent::v1::Resources ToAgentResources(const v1::ContainerResources& change, const v1::ContainerResources& all) {
  agent::v1::Resources resources;
  for (CgroupFile& file : CgroupFiles(change, all)) {
    agent::v1::Resources::File& added = *resources.add_files();
    added.set_name(std::move(file.name));
    added.set_value(std::move(file.value));
    added.set_optional(file.optional);
  }
  return resources;
}

std::vector<v1::ProcessInfo> FromAgentProcessList(const agent::v1::ProcessList& list) {
  std::vector<v1::ProcessInfo> processes;
  for (const agent::v1::ProcessList::Entry& entry : list.processes()) {
    processes.push_back(FromAgentProcess(entry, list.now_unix_ns()));
  }
  return processes;
}

GuestUsage FromAgentStats(const agent::v1::Stats& stats) {
  GuestUsage usage;
  for (const agent::v1::Stats::Container& container : stats.containers()) {
    usage.containers.push_back(FromAgentFigures(container));
  }
  usage.guest.set_memory_total_bytes(Figure(stats.guest(), "MemTotal"));
  usage.guest.set_memory_available_bytes(Figure(stats.guest(), "MemAvailable"));
  usage.guest.set_uptime_us(Figure(stats.guest(), "uptime_usec"));
  usage.guest.set_memory_pressure_percent(Percent(stats.memory_pressure_percent()));
  const double load = stats.load_average_1m();
  usage.guest.set_load_average_1m(std::isfinite(load) && load >= 0 ? load : 0);
  return usage;
}

absl::Status CheckAgentEvent(const agent::v1::GuestEvent& event) {
  if (event.has_oom() && event.oom().container_id().size() <= kMaxIdBytes) return absl::OkStatus();
  if (event.has_memory_pressure()) {
    const double percent = event.memory_pressure().some_percent();
    if (std::isfinite(percent) && percent >= 0 && percent <= 100) return absl::OkStatus();
  }
  return absl::InvalidArgumentError("an event that makes no sense");
}

}  // namespace vcd
