// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/noop/noop_agent.h"

#include <signal.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/agent/guest_error.h"
#include "core/agent/observer_gate.h"
#include "core/os/mutex.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

absl::Status NoProcesses(const ProcessKey& process, absl::string_view step) {
  return WithDetail(absl::UnimplementedError(
                        absl::StrCat(DescribeProcess(process), ": ", step,
                                     ": the agent noop runs no processes; create the pod with the agent native")),
                    {v1::ERROR_REASON_NOT_IMPLEMENTED, {{"container_id", process.container_id}}});
}

class NoopSession : public GuestSession {
 public:
  NoopSession(IoThread& io, GuestObserver& observer, std::string pod_id)
      : io_(io), pod_id_(std::move(pod_id)), gate_(std::make_shared<ObserverGate>(io, observer)) {
    info_.agent_version = "noop";
  }

  ~NoopSession() override { gate_->Close(); }

  const GuestInfo& info() const override { return info_; }

  void Observe() override {
    MutexLock lock(&mu_);
    observed_ = true;
    for (const auto& [key, status] : unobserved_exits_) PostExit(key, status);
    unobserved_exits_.clear();
  }

  absl::StatusOr<int32_t> CreateContainer(const GuestContainerSpec& spec, const CallContext& context) override {
    const ProcessKey key{spec.config.id(), ""};
    VCD_RETURN_IF_ERROR(Check(context));
    MutexLock lock(&mu_);
    if (!containers_.emplace(key.container_id, State::kHeld).second) {
      return GuestErrorStatus(GuestError::kExists, key, "create", "the id is taken");
    }
    return 0;
  }

  absl::Status StartContainer(const std::string& container_id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Check(context));
    MutexLock lock(&mu_);
    State& state = containers_.emplace(container_id, State::kHeld).first->second;
    if (state != State::kHeld) {
      return GuestErrorStatus(GuestError::kWrongState, {container_id, ""}, "start",
                              state == State::kEnded ? "it has ended" : "it runs already");
    }
    state = State::kRunning;
    return absl::OkStatus();
  }

  absl::Status RemoveContainer(const std::string& container_id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Check(context));
    MutexLock lock(&mu_);
    containers_.erase(container_id);
    return absl::OkStatus();
  }

  absl::StatusOr<int32_t> Exec(const ProcessKey& process, const v1::Cmd&, const CallContext&) override {
    return NoProcesses(process, "exec");
  }

  absl::Status Signal(const ProcessKey& process, int signal, bool, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Check(context));
    if (!process.process_id.empty()) {
      return GuestErrorStatus(GuestError::kNotFound, process, "signal", "the agent noop runs no processes");
    }
    if (signal != SIGTERM && signal != SIGINT && signal != SIGKILL) return absl::OkStatus();
    MutexLock lock(&mu_);
    State& state = containers_.emplace(process.container_id, State::kRunning).first->second;
    if (state == State::kEnded) return absl::OkStatus();
    state = State::kEnded;
    v1::ExitStatus status;
    status.set_code(128 + signal);
    status.set_signal(signal);
    if (observed_) {
      PostExit(process, status);
    } else {
      unobserved_exits_.emplace_back(process, std::move(status));
    }
    return absl::OkStatus();
  }

  absl::Status ResizeTerminal(const ProcessKey& process, const v1::TerminalSize&, const CallContext&) override {
    return NoProcesses(process, "resize the terminal");
  }

  absl::StatusOr<std::vector<v1::ProcessInfo>> ListProcesses(const std::string& container_id,
                                                             const CallContext&) override {
    return NoProcesses({container_id, ""}, "list processes");
  }

  absl::StatusOr<GuestUsage> GetUsage(const std::string& container_id, const CallContext&) override {
    return NoProcesses({container_id, ""}, "read figures");
  }

  absl::Status UpdateResources(const std::string& container_id, const v1::ContainerResources&,
                               const v1::ContainerResources&, const CallContext&) override {
    return NoProcesses({container_id, ""}, "change limits");
  }

  absl::Status SetCpus(uint32_t, const CallContext& context) override { return Check(context); }
  absl::Status SetClock(const CallContext& context) override { return Check(context); }

  void Ping() override {}
  uint64_t signs_of_life() const override { return 0; }

  absl::Status RemoveProcess(const ProcessKey&, const CallContext& context) override { return Check(context); }

  void WriteInput(const ProcessKey& process, std::string, bool, std::function<void(absl::Status)> done) override {
    io_.Post([process, done = std::move(done)] { done(NoProcesses(process, "write input")); });
  }

  void AcknowledgeOutput(const ProcessKey&, StdStream, uint64_t) override {}

  absl::Status Shutdown(const CallContext& context) override { return Check(context); }

 private:
  enum class State { kHeld, kRunning, kEnded };

  absl::Status Check(const CallContext& context) const { return context.Check(absl::StrCat("guest of pod ", pod_id_)); }

  void PostExit(const ProcessKey& key, const v1::ExitStatus& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ObserverGate::Post(gate_, [key, status](GuestObserver& observer) { observer.OnProcessExit(key, status); });
  }

  IoThread& io_;
  const std::string pod_id_;
  const std::shared_ptr<ObserverGate> gate_;
  GuestInfo info_;
  Mutex mu_;
  bool observed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, State> containers_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<ProcessKey, v1::ExitStatus>> unobserved_exits_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<GuestSession>> NoopAgent::Connect(const GuestSpec& spec, VirtualMachine&,
                                                                 GuestObserver& observer, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("guest of pod ", spec.pod_id)));
  return std::make_unique<NoopSession>(io_, observer, spec.pod_id);
}

}  // namespace vcd
