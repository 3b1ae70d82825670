// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/commands/commands.h"
#include "client/commands/output_options.h"
#include "client/format/table.h"
#include "client/format/text.h"
#include "proto/vcd/v1/pod_service.pb.h"

namespace vcd::client {
namespace {

// CPU time and when it was read, by pod and container; an empty container is the machine.
using Samples = std::map<std::pair<std::string, std::string>, std::pair<absl::Time, uint64_t>>;

std::string OrNone(uint64_t bytes) { return bytes == 0 ? "-" : Bytes(bytes); }

class StatsCommand : public Command {
 public:
  std::string name() const override { return "stats"; }
  std::string summary() const override { return "Show what pods and their containers use, again and again"; }

  void Declare(Arguments* arguments) override {
    arguments->OptionalPositionals("POD", &pod_ids_, "Ids of pods (default: all that have a machine)");
    arguments->Flag("--no-stream", &once_, "Show it once");
    arguments->Number("--interval", &interval_seconds_, "SECONDS", "Time between two looks (default: 1)");
    output_.Declare(arguments);
    arguments->Footer(
        "CPU% is of one CPU, between two looks. The line of a pod is of its virtual machine on the host: UNIQUE is "
        "memory\n"
        "that only it has, SHARED what others have too. JSON is one pod a line, with all that is known, counted since\n"
        "the start. Goes on until it is interrupted.\nExample: vc stats --no-stream web");
  }

  int Run(Invocation& invocation) override {
    if (interval_seconds_ == 0u && !once_) {
      invocation.Complain("", "--interval: 0 goes with --no-stream alone; give it a second or more");
      return kUsageError;
    }
    const absl::Duration interval = absl::Seconds(interval_seconds_.value_or(1));
    // The first look of a table shows no CPU%, so the one that is asked for is the second.
    const bool warms_up = once_ && output_.table();
    for (int look = 0;; ++look) {
      if (look > 0) absl::SleepFor(interval);
      const auto pods = PodsToShow(invocation);
      if (!pods.has_value()) return kFailure;
      bool failed = false;
      const std::vector<v1::PodStats> stats = Look(invocation, *pods, &failed);
      if (failed && stats.empty()) return kFailure;
      const std::string text = output_.table() ? AsTable(stats) : AsItems(stats);
      if (warms_up && look == 0) continue;
      const bool clears = output_.table() && !once_ && ::isatty(invocation.environment().streams.out) == 1;
      const int printed = invocation.Print(clears ? absl::StrCat("\x1b[H\x1b[J", text) : text);
      if (printed != kSuccess) return printed;
      if (once_) return failed ? kFailure : kSuccess;
    }
  }

 private:
  // The pods that were named, or all that have a machine; nothing when they cannot be listed.
  std::optional<std::vector<std::string>> PodsToShow(Invocation& invocation) const {
    if (!pod_ids_.empty()) return pod_ids_;
    std::vector<std::string> ids;
    v1::ListPodsRequest request;
    do {
      v1::ListPodsResponse page;
      if (const absl::Status status = invocation.daemon().ListPods(request, &page); !status.ok()) {
        invocation.Complain("", status);
        return std::nullopt;
      }
      for (const v1::Pod& pod : page.pods()) {
        if (pod.state() == v1::POD_STATE_READY || pod.state() == v1::POD_STATE_RUNNING ||
            pod.state() == v1::POD_STATE_PAUSED) {
          ids.push_back(pod.id());
        }
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return ids;
  }

  std::vector<v1::PodStats> Look(Invocation& invocation, const std::vector<std::string>& pods, bool* failed) {
    std::vector<v1::PodStats> all;
    for (const std::string& pod_id : pods) {
      v1::GetPodStatsRequest request;
      request.set_pod_id(pod_id);
      v1::GetPodStatsResponse response;
      const absl::Status status = invocation.daemon().GetPodStats(request, &response);
      if (status.ok()) {
        all.push_back(std::move(*response.mutable_stats()));
        missing_.erase(pod_id);
      } else if (!pod_ids_.empty()) {
        // One that was found by listing may have ended since.
        if (missing_.insert(pod_id).second) invocation.Complain(pod_id, status);
        *failed = true;
      }
    }
    return all;
  }

  std::string AsItems(const std::vector<v1::PodStats>& stats) const {
    std::string text;
    for (const v1::PodStats& pod : stats) absl::StrAppend(&text, output_.RenderItem(pod));
    return text;
  }

  // Notes the sample, and tells the share of one CPU since the one before.
  std::string CpuPercent(const std::string& pod, const std::string& container, absl::Time time, uint64_t usage_us,
                         Samples* samples) const {
    (*samples)[{pod, container}] = {time, usage_us};
    const auto before = samples_.find({pod, container});
    if (before == samples_.end()) return "-";
    const auto& [then, used] = before->second;
    if (time <= then || usage_us < used) return "-";
    return absl::StrFormat("%.1f",
                           100 * static_cast<double>(usage_us - used) / absl::ToDoubleMicroseconds(time - then));
  }

  std::string AsTable(const std::vector<v1::PodStats>& stats) {
    Samples samples;
    Table table({"POD", "CONTAINER", "CPU%", "MEMORY", "LIMIT", "UNIQUE", "SHARED", "PIDS", "READ", "WRITTEN", "OOM"});
    for (const v1::PodStats& pod : stats) {
      const v1::VmStats& vm = pod.vm();
      const std::string id = pod.pod_id();
      if (pod.has_vm()) {
        table.AddRow({id, "(machine)", CpuPercent(id, "", ToTime(pod.time()), vm.cpu_usage_us(), &samples),
                      Bytes(vm.memory_rss_bytes()), "-", Bytes(vm.memory_unique_bytes()),
                      Bytes(vm.memory_shared_bytes()), absl::StrCat(vm.threads()), "-", "-", "-"});
      }
      for (const v1::ContainerStats& used : pod.containers()) {
        table.AddRow({id, used.container_id(),
                      CpuPercent(id, used.container_id(), ToTime(used.time()), used.cpu_usage_us(), &samples),
                      Bytes(used.memory_usage_bytes()), OrNone(used.memory_limit_bytes()), "-", "-",
                      absl::StrCat(used.pids()), Bytes(used.io_read_bytes()), Bytes(used.io_write_bytes()),
                      absl::StrCat(used.oom_kills())});
      }
      if (!pod.has_vm() && pod.containers().empty()) {
        table.AddRow({id, "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"});
      }
    }
    samples_ = std::move(samples);
    return table.Render();
  }

  std::vector<std::string> pod_ids_;
  bool once_ = false;
  std::optional<uint32_t> interval_seconds_;
  OutputOptions output_{"table"};
  Samples samples_;                // Of the look before.
  std::set<std::string> missing_;  // Of which that was said.
};

}  // namespace

std::unique_ptr<Command> NewStatsCommand() { return std::make_unique<StatsCommand>(); }

}  // namespace vcd::client
