// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/mock/mock_session.h"

#include <list>
#include <map>
#include <utility>
#include <variant>

#include "core/agent/guest_error.h"
#include "core/agent/observer_gate.h"
#include "core/model/container_limits.h"
#include "core/os/mutex.h"
#include "core/os/timer.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

template <typename T>
absl::StatusOr<T> ValueOf(std::variant<T, SimulatedGuest::Refusal> answer, const ProcessKey& key,
                          absl::string_view step) {
  if (const auto* refusal = std::get_if<SimulatedGuest::Refusal>(&answer)) {
    return GuestErrorStatus(refusal->error, key, step, refusal->words);
  }
  return std::get<T>(std::move(answer));
}

absl::StatusOr<int32_t> ToStatus(const SimulatedGuest::Answer& answer, const ProcessKey& key, absl::string_view step) {
  return ValueOf(answer, key, step);
}

}  // namespace

// What is told to the observer, and inputs that wait: for room in the guest, for a fault's delay, or for its end.
class MockSession::Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  using Done = std::function<void(absl::Status)>;

  Conversation(IoThread& io, std::shared_ptr<MockControl> control, std::shared_ptr<MockGuest> guest,
               GuestObserver& observer, std::string pod_id)
      : io_(io),
        control_(std::move(control)),
        guest_(std::move(guest)),
        pod_id_(std::move(pod_id)),
        gate_(std::make_shared<ObserverGate>(io, observer)) {}

  void Observe() {
    guest_->OnChange([weak = weak_from_this()] {
      if (const std::shared_ptr<Conversation> self = weak.lock()) self->RetryHeldUp();
    });
    const uint64_t attachment = guest_->simulated().Attach([weak = weak_from_this()](SimulatedGuest::Event event) {
      if (const std::shared_ptr<Conversation> self = weak.lock()) self->Tell(std::move(event));
    });
    MutexLock lock(&mu_);
    attachment_ = attachment;
  }

  void Write(const ProcessKey& key, std::string data, bool close, Done done) {
    const MockFault fault = control_->TakeFault(pod_id_, MockOperation::kWriteInput);
    const absl::Duration wait = fault.stuck + fault.delay;
    if (!fault.hang && wait <= absl::ZeroDuration()) return Give(key, std::move(data), close, fault, std::move(done));
    const absl::Time due = fault.hang ? absl::InfiniteFuture() : absl::Now() + wait;
    MutexLock lock(&mu_);
    if (closed_) return Post(std::move(done), Closed());
    const uint64_t id = next_id_++;
    HeldUp& held = held_up_[id];
    held = {key, std::move(data), close, fault, std::move(done), Timer()};
    if (fault.hang) return;
    held.timer = Timer(io_, due, [weak = weak_from_this(), id] {
      if (const std::shared_ptr<Conversation> self = weak.lock()) self->GiveHeldUp(id);
    });
  }

  // Those who wait for room in what is gone.
  void Forget(const std::function<bool(const ProcessKey&)>& gone) {
    MutexLock lock(&mu_);
    for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
      if (!gone(waiting->second.key)) {
        ++waiting;
        continue;
      }
      Post(std::move(waiting->second.done),
           GuestErrorStatus(GuestError::kNotFound, waiting->second.key, "write input", "it was removed"));
      waiting = waiting_.erase(waiting);
    }
  }

  void Close() {
    gate_->Close();
    guest_->OnChange(nullptr);
    uint64_t attachment = 0;
    std::map<uint64_t, HeldUp> held_up;
    {
      MutexLock lock(&mu_);
      closed_ = true;
      attachment = attachment_;
      for (auto& [id, waiting] : waiting_) Post(std::move(waiting.done), Closed());
      waiting_.clear();
      held_up.swap(held_up_);
    }
    for (auto& [id, held] : held_up) Post(std::move(held.done), Closed());
    guest_->simulated().Detach(attachment);
  }

 private:
  struct Waiting {
    ProcessKey key;
    Done done;
  };
  struct HeldUp {
    ProcessKey key;
    std::string data;
    bool close = false;
    MockFault fault;
    Done done;
    Timer timer;
  };

  void Post(Done done, absl::Status status) {
    io_.Post([done = std::move(done), status = std::move(status)] { done(status); });
  }

  absl::Status Closed() const { return GuestGoneStatus(pod_id_, "the session was closed"); }

  void Give(const ProcessKey& key, std::string data, bool close, const MockFault& fault, Done done) {
    absl::Status result = guest_->status();
    if (result.ok() && (fault.die || !fault.error.ok())) {
      result = control_->Failure(pod_id_, MockOperation::kWriteInput, fault);
    }
    if (!result.ok()) return Post(std::move(done), std::move(result));
    uint64_t id = 0;
    {
      // Before the guest has it: it may tell of room before it returns.
      MutexLock lock(&mu_);
      if (closed_) return Post(std::move(done), Closed());
      id = next_id_++;
      waiting_[id] = {key, std::move(done)};
    }
    bool room = false;
    result = ToStatus(guest_->simulated().Input(key, data, close, &room), key, "write input").status();
    if (!result.ok() || room) Finish(id, result);
  }

  void Finish(uint64_t id, const absl::Status& result) {
    MutexLock lock(&mu_);
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return;
    Post(std::move(found->second.done), result);
    waiting_.erase(found);
  }

  void GiveHeldUp(uint64_t id) {
    HeldUp held;
    {
      MutexLock lock(&mu_);
      const auto found = held_up_.find(id);
      if (found == held_up_.end()) return;
      held = std::move(found->second);
      held_up_.erase(found);
    }
    Give(held.key, std::move(held.data), held.close, held.fault, std::move(held.done));
  }

  void RetryHeldUp() {
    std::map<uint64_t, HeldUp> held_up;
    {
      MutexLock lock(&mu_);
      held_up.swap(held_up_);
    }
    for (auto& [id, held] : held_up) Write(held.key, std::move(held.data), held.close, std::move(held.done));
  }

  // Under the guest's lock.
  void Tell(SimulatedGuest::Event event) {
    if (const auto* taken = std::get_if<SimulatedGuest::InputTaken>(&event)) {
      MutexLock lock(&mu_);
      for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
        if (!(waiting->second.key == taken->process)) {
          ++waiting;
          continue;
        }
        Post(std::move(waiting->second.done), absl::OkStatus());
        waiting = waiting_.erase(waiting);
      }
      return;
    }
    ObserverGate::Post(gate_, [event = std::move(event)](GuestObserver& observer) {
      if (const auto* output = std::get_if<SimulatedGuest::Output>(&event)) {
        observer.OnOutput(output->process, output->stream, output->offset, output->data);
      } else if (const auto* exited = std::get_if<SimulatedGuest::Exited>(&event)) {
        observer.OnProcessExit(exited->process, exited->status);
      } else if (const auto* oom = std::get_if<SimulatedGuest::OutOfMemory>(&event)) {
        observer.OnOutOfMemory(oom->container_id, oom->kills);
      }
    });
  }

  IoThread& io_;
  const std::shared_ptr<MockControl> control_;
  const std::shared_ptr<MockGuest> guest_;
  const std::string pod_id_;
  const std::shared_ptr<ObserverGate> gate_;
  Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t attachment_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, HeldUp> held_up_ ABSL_GUARDED_BY(mu_);
};

MockSession::MockSession(IoThread& io, std::shared_ptr<MockControl> control, std::shared_ptr<MockGuest> guest,
                         GuestObserver& observer, std::string pod_id)
    : control_(control),
      guest_(guest),
      pod_id_(pod_id),
      conversation_(std::make_shared<Conversation>(io, std::move(control), std::move(guest), observer, pod_id)) {
  info_.kernel_release = "mock";
  info_.agent_version = "mock";
  for (SimulatedGuest::Process& process : simulated().Processes()) {
    info_.processes.push_back(std::move(process.process));
  }
}

MockSession::~MockSession() { conversation_->Close(); }

void MockSession::Observe() { conversation_->Observe(); }

absl::Status MockSession::Enter(MockOperation operation, const CallContext& context) {
  return control_->Enter(pod_id_, operation, context, [this] { return guest_->status(); });
}

absl::StatusOr<int32_t> MockSession::CreateContainer(const GuestContainerSpec& spec, const CallContext& context) {
  const ProcessKey key{spec.config.id(), ""};
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kCreateContainer, context));
  const v1::ContainerResources& limits = spec.config.resources();
  return ToStatus(simulated().Create(key.container_id, spec.config.cmd(), CgroupFiles(limits, limits)), key, "create");
}

absl::Status MockSession::StartContainer(const std::string& container_id, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kStartContainer, context));
  return ToStatus(simulated().Start(container_id), {container_id, ""}, "start").status();
}

absl::Status MockSession::RemoveContainer(const std::string& container_id, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kRemoveContainer, context));
  const absl::Status removed =
      ToStatus(simulated().RemoveContainer(container_id), {container_id, ""}, "remove").status();
  if (removed.ok()) conversation_->Forget([&](const ProcessKey& key) { return key.container_id == container_id; });
  return removed;
}

absl::StatusOr<int32_t> MockSession::Exec(const ProcessKey& process, const v1::Cmd& cmd, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kExec, context));
  return ToStatus(simulated().Exec(process, cmd), process, "exec");
}

absl::Status MockSession::Signal(const ProcessKey& process, int signal, bool all, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kSignal, context));
  return ToStatus(simulated().Signal(process, signal, all), process, "signal").status();
}

absl::Status MockSession::ResizeTerminal(const ProcessKey& process, const v1::TerminalSize& size,
                                         const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kSignal, context));
  return ToStatus(simulated().Resize(process, size), process, "resize the terminal").status();
}

absl::StatusOr<std::vector<v1::ProcessInfo>> MockSession::ListProcesses(const std::string& container_id,
                                                                        const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kListProcesses, context));
  return ValueOf(simulated().ListProcesses(container_id), {container_id, ""}, "list processes");
}

absl::StatusOr<GuestUsage> MockSession::GetUsage(const std::string& container_id, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kGetStats, context));
  return ValueOf(simulated().Usage(container_id), {container_id, ""}, "read figures");
}

absl::Status MockSession::UpdateResources(const std::string& container_id, const v1::ContainerResources& change,
                                          const v1::ContainerResources& all, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kUpdateResources, context));
  return ToStatus(simulated().UpdateLimits(container_id, CgroupFiles(change, all)), {container_id, ""}, "change limits")
      .status();
}

absl::Status MockSession::SetCpus(uint32_t, const CallContext& context) {
  return Enter(MockOperation::kUpdateResources, context);
}

absl::Status MockSession::SetClock(const CallContext&) { return Answers(); }

// Nobody looks at the interfaces of a guest that is none.
absl::Status MockSession::SetInterface(const v1::PodInterface& interface, const CallContext&) {
  if (interface.mac().size() != 17) return absl::InvalidArgumentError("`mac` is no hardware address");
  return Answers();
}
absl::Status MockSession::RemoveInterface(const std::string&, const CallContext&) { return Answers(); }

absl::Status MockSession::Answers() const {
  if (control_->Silent(pod_id_)) return GuestGoneStatus(pod_id_, "it does not answer");
  return guest_->status();
}

void MockSession::Ping() {
  if (guest_->status().ok() && !control_->Silent(pod_id_)) signs_of_life_.fetch_add(1, std::memory_order_relaxed);
}

absl::Status MockSession::RemoveProcess(const ProcessKey& process, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kRemoveProcess, context));
  const absl::Status removed = ToStatus(simulated().RemoveProcess(process), process, "remove").status();
  if (removed.ok()) conversation_->Forget([&](const ProcessKey& key) { return key == process; });
  return removed;
}

void MockSession::WriteInput(const ProcessKey& process, std::string data, bool close,
                             std::function<void(absl::Status)> done) {
  conversation_->Write(process, std::move(data), close, std::move(done));
}

void MockSession::AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset) {
  simulated().Acknowledge(process, stream, offset);
}

absl::Status MockSession::Shutdown(const CallContext& context) {
  VCD_RETURN_IF_ERROR(Enter(MockOperation::kShutdown, context));
  guest_->PowerOff();
  return absl::OkStatus();
}

}  // namespace vcd
