// SPDX-License-Identifier: Apache-2.0
#include "core/agent/testing/fake_agent.h"

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/agent/observer_gate.h"
#include "core/model/container_limits.h"
#include "core/os/completion.h"
#include "core/os/mutex.h"
#include "core/os/testing/call_script.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

std::string Name(const ProcessKey& key) {
  return key.process_id.empty() ? key.container_id : absl::StrCat(key.container_id, "/", key.process_id);
}

}  // namespace

// What a session and those who end it share.
class FakeAgent::Conversation {
 public:
  Conversation(IoThread& io, GuestObserver& observer, std::string pod_id, std::shared_ptr<SimulatedGuest> guest)
      : io_(io),
        pod_id_(std::move(pod_id)),
        guest_(std::move(guest)),
        gate_(std::make_shared<ObserverGate>(io, observer)) {}

  const std::string& pod_id() const { return pod_id_; }
  SimulatedGuest& guest() { return *guest_; }

  absl::Status status() const {
    MutexLock lock(&mu_);
    return lost_;
  }

  void Observe() {
    MutexLock lock(&mu_);
    observed_ = true;
    if (!lost_.ok()) return TellLost(lost_);
    attachment_ = guest_->Attach([gate = gate_](SimulatedGuest::Event event) {
      ObserverGate::Post(gate, [event = std::move(event)](GuestObserver& observer) {
        if (const auto* output = std::get_if<SimulatedGuest::Output>(&event)) {
          observer.OnOutput(output->process, output->stream, output->offset, output->data);
        } else if (const auto* exited = std::get_if<SimulatedGuest::Exited>(&event)) {
          observer.OnProcessExit(exited->process, exited->status);
        } else if (const auto* oom = std::get_if<SimulatedGuest::OutOfMemory>(&event)) {
          observer.OnOutOfMemory(oom->container_id, oom->kills);
        }
      });
    });
  }

  void TellMemoryPressure(double some_percent) {
    ObserverGate::Post(gate_, [some_percent](GuestObserver& observer) { observer.OnMemoryPressure(some_percent); });
  }

  // Waits for the end of the context or of the conversation.
  absl::Status Hang(const CallContext& context) {
    Completion<bool> end;
    {
      MutexLock lock(&mu_);
      if (!lost_.ok()) return lost_;
      hanging_.push_back(end);
    }
    return end.Wait(context, absl::StrCat("guest of pod ", pod_id_)).status();
  }

  void HangInput(std::function<void(absl::Status)> done) {
    MutexLock lock(&mu_);
    if (lost_.ok()) {
      hanging_inputs_.push_back(std::move(done));
    } else {
      io_.Post([done = std::move(done), why = lost_] { done(why); });
    }
  }

  void Lose(const absl::Status& why) {
    uint64_t attachment = 0;
    {
      MutexLock lock(&mu_);
      if (!lost_.ok()) return;
      lost_ = why;
      attachment = attachment_;
    }
    guest_->Detach(attachment);
    MutexLock lock(&mu_);
    for (const Completion<bool>& call : hanging_) call.Set(why);
    hanging_.clear();
    for (auto& done : hanging_inputs_) io_.Post([done = std::move(done), why] { done(why); });
    hanging_inputs_.clear();
    if (observed_) TellLost(why);
  }

  void Close() {
    gate_->Close();
    Lose(GuestGoneStatus(pod_id_, "the session was closed"));
  }

 private:
  void TellLost(const absl::Status& why) {
    ObserverGate::Post(gate_, [why](GuestObserver& observer) { observer.OnGuestLost(why); });
  }

  IoThread& io_;
  const std::string pod_id_;
  const std::shared_ptr<SimulatedGuest> guest_;
  const std::shared_ptr<ObserverGate> gate_;
  mutable Mutex mu_;
  absl::Status lost_ ABSL_GUARDED_BY(mu_);
  bool observed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t attachment_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Completion<bool>> hanging_ ABSL_GUARDED_BY(mu_);
  std::vector<std::function<void(absl::Status)>> hanging_inputs_ ABSL_GUARDED_BY(mu_);
};

// Guests, and the script of calls.
class FakeAgent::World {
 public:
  explicit World(IoThread& io) : io_(io) {}

  IoThread& io() { return io_; }

  CallScript& script() { return script_; }

  void SetLastSpec(const GuestContainerSpec& spec) {
    MutexLock lock(&mu_);
    last_spec_ = spec;
  }
  GuestContainerSpec last_spec() const {
    MutexLock lock(&mu_);
    return last_spec_;
  }

  void CountSession(int change) {
    MutexLock lock(&mu_);
    sessions_ += change;
  }
  int sessions() const {
    MutexLock lock(&mu_);
    return sessions_;
  }

  void set_capabilities(const AgentCapabilities& capabilities) {
    MutexLock lock(&mu_);
    capabilities_ = capabilities;
  }
  AgentCapabilities capabilities() const {
    MutexLock lock(&mu_);
    return capabilities_;
  }

  std::shared_ptr<SimulatedGuest> Guest(const std::string& pod_id) {
    MutexLock lock(&mu_);
    return GuestOf(pod_id).guest;
  }

  // The conversation that the pod's guest has now, or null.
  std::shared_ptr<Conversation> Current(const std::string& pod_id) {
    MutexLock lock(&mu_);
    return GuestOf(pod_id).conversation.lock();
  }

  // A new conversation with the guest of that machine; null when it was shut down. `before` gets the one it replaces.
  std::shared_ptr<Conversation> Open(const std::string& pod_id, const std::string& machine, GuestObserver& observer,
                                     std::shared_ptr<Conversation>* before) {
    MutexLock lock(&mu_);
    GuestEntry& entry = GuestOf(pod_id);
    *before = entry.conversation.lock();
    if (entry.machine.has_value() && *entry.machine != machine) entry = GuestEntry();
    entry.machine = machine;
    if (const auto given = given_.find(pod_id); given != given_.end()) {
      entry.guest = std::move(given->second);
      given_.erase(given);
    }
    if (entry.off) return nullptr;
    auto conversation = std::make_shared<Conversation>(io_, observer, pod_id, entry.guest);
    entry.conversation = conversation;
    return conversation;
  }

  void GiveGuest(const std::string& pod_id, std::shared_ptr<SimulatedGuest> guest) {
    MutexLock lock(&mu_);
    given_[pod_id] = std::move(guest);
  }

  void SetAnswersPings(const std::string& pod_id, bool answers) {
    MutexLock lock(&mu_);
    GuestOf(pod_id).answers_pings = answers;
  }
  bool answers_pings(const std::string& pod_id) {
    MutexLock lock(&mu_);
    return GuestOf(pod_id).answers_pings;
  }

  void SetInterface(const std::string& pod_id, const v1::PodInterface& interface) {
    MutexLock lock(&mu_);
    GuestOf(pod_id).interfaces[interface.mac()] = interface;
  }
  void RemoveInterface(const std::string& pod_id, const std::string& mac) {
    MutexLock lock(&mu_);
    GuestOf(pod_id).interfaces.erase(mac);
  }
  std::vector<v1::PodInterface> Interfaces(const std::string& pod_id) {
    std::vector<v1::PodInterface> interfaces;
    MutexLock lock(&mu_);
    for (const auto& [mac, interface] : GuestOf(pod_id).interfaces) interfaces.push_back(interface);
    return interfaces;
  }

  void SwitchOff(const std::string& pod_id) {
    MutexLock lock(&mu_);
    GuestOf(pod_id).off = true;
  }

 private:
  struct GuestEntry {
    std::optional<std::string> machine;
    bool off = false;
    bool answers_pings = true;
    std::map<std::string, v1::PodInterface> interfaces;  // By hardware address.
    std::shared_ptr<SimulatedGuest> guest = std::make_shared<SimulatedGuest>();
    std::weak_ptr<Conversation> conversation;
  };

  GuestEntry& GuestOf(const std::string& pod_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return guests_[pod_id]; }

  IoThread& io_;
  CallScript script_;
  mutable Mutex mu_;
  AgentCapabilities capabilities_ ABSL_GUARDED_BY(mu_) = {.runs_processes = true, .networks = true, .dials = true};
  GuestContainerSpec last_spec_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, GuestEntry> guests_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<SimulatedGuest>> given_ ABSL_GUARDED_BY(mu_);
  int sessions_ ABSL_GUARDED_BY(mu_) = 0;
};

class FakeAgent::Session : public GuestSession {
 public:
  Session(std::shared_ptr<World> world, std::shared_ptr<Conversation> conversation)
      : world_(std::move(world)), conversation_(std::move(conversation)) {
    info_.kernel_release = "6.1.0-fake";
    info_.agent_version = "fake";
    for (SimulatedGuest::Process& process : conversation_->guest().Processes()) {
      info_.processes.push_back(std::move(process.process));
    }
    world_->CountSession(1);
  }

  ~Session() override {
    conversation_->Close();
    world_->CountSession(-1);
  }

  const GuestInfo& info() const override { return info_; }

  void Observe() override { conversation_->Observe(); }

  absl::StatusOr<int32_t> CreateContainer(const GuestContainerSpec& spec, const CallContext& context) override {
    const ProcessKey key{spec.config.id(), ""};
    VCD_RETURN_IF_ERROR(Enter("CreateContainer", Name(key), context));
    world_->SetLastSpec(spec);
    const v1::ContainerResources& limits = spec.config.resources();
    return Pid(guest().Create(key.container_id, spec.config.cmd(), CgroupFiles(limits, limits)), key, "create");
  }

  absl::Status StartContainer(const std::string& container_id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("StartContainer", container_id, context));
    return Pid(guest().Start(container_id), {container_id, ""}, "start").status();
  }

  absl::Status RemoveContainer(const std::string& container_id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("RemoveContainer", container_id, context));
    return Pid(guest().RemoveContainer(container_id), {container_id, ""}, "remove").status();
  }

  absl::StatusOr<int32_t> Exec(const ProcessKey& process, const v1::Cmd& cmd, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("Exec", Name(process), context));
    return Pid(guest().Exec(process, cmd), process, "exec");
  }

  absl::StatusOr<int32_t> ExecDial(const ProcessKey& process, const GuestDial& dial,
                                   const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("ExecDial", Name(process), context));
    if (dial.port == 0) return absl::InvalidArgumentError("there is no port 0");
    if (dial.address.find_first_not_of("0123456789abcdef.:") != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat(dial.address, " is no address"));
    }
    return Pid(guest().Dial(process), process, "connect");
  }

  absl::Status Signal(const ProcessKey& process, int signal, bool all, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("Signal", absl::StrCat(Name(process), " ", signal, all ? " all" : ""), context));
    return Pid(guest().Signal(process, signal, all), process, "signal").status();
  }

  absl::Status ResizeTerminal(const ProcessKey& process, const v1::TerminalSize& size,
                              const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("ResizeTerminal", Name(process), context));
    return Pid(guest().Resize(process, size), process, "resize the terminal").status();
  }

  absl::StatusOr<std::vector<v1::ProcessInfo>> ListProcesses(const std::string& container_id,
                                                             const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("ListProcesses", container_id, context));
    return ValueOf(guest().ListProcesses(container_id), {container_id, ""}, "list processes");
  }

  absl::StatusOr<GuestUsage> GetUsage(const std::string& container_id, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("GetUsage", container_id, context));
    return ValueOf(guest().Usage(container_id), {container_id, ""}, "read figures");
  }

  absl::Status UpdateResources(const std::string& container_id, const v1::ContainerResources& change,
                               const v1::ContainerResources& all, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("UpdateResources", container_id, context));
    return Pid(guest().UpdateLimits(container_id, CgroupFiles(change, all)), {container_id, ""}, "change limits")
        .status();
  }

  absl::Status SetCpus(uint32_t count, const CallContext& context) override {
    return Enter("SetCpus", absl::StrCat(count), context);
  }
  absl::Status SetClock(const CallContext& context) override { return Enter("SetClock", "", context); }

  absl::Status SetInterface(const v1::PodInterface& interface, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("SetInterface", interface.name(), context));
    if (interface.mac().size() != 17) return absl::InvalidArgumentError("`mac` is no hardware address");
    world_->SetInterface(conversation_->pod_id(), interface);
    return absl::OkStatus();
  }
  absl::Status RemoveInterface(const std::string& mac, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("RemoveInterface", mac, context));
    world_->RemoveInterface(conversation_->pod_id(), mac);
    return absl::OkStatus();
  }

  void Ping() override {
    if (conversation_->status().ok() && world_->answers_pings(conversation_->pod_id())) ++signs_of_life_;
  }
  uint64_t signs_of_life() const override { return signs_of_life_; }

  absl::Status RemoveProcess(const ProcessKey& process, const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("RemoveProcess", Name(process), context));
    return Pid(guest().RemoveProcess(process), process, "remove").status();
  }

  void WriteInput(const ProcessKey& process, std::string data, bool close,
                  std::function<void(absl::Status)> done) override {
    bool hangs = false;
    absl::Status result =
        world_->script().Enter("WriteInput", absl::StrCat(conversation_->pod_id(), " ", Name(process)), [&hangs] {
          hangs = true;
          return absl::OkStatus();
        });
    if (hangs) return conversation_->HangInput(std::move(done));
    if (result.ok()) result = conversation_->status();
    if (result.ok()) result = Pid(guest().Input(process, data, close), process, "write input").status();
    world_->io().Post([done = std::move(done), result = std::move(result)] { done(result); });
  }

  void AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset) override {
    guest().Acknowledge(process, stream, offset);
  }

  absl::Status Shutdown(const CallContext& context) override {
    VCD_RETURN_IF_ERROR(Enter("Shutdown", "", context));
    world_->SwitchOff(conversation_->pod_id());
    conversation_->Lose(GuestGoneStatus(conversation_->pod_id(), "it was powered off"));
    return absl::OkStatus();
  }

 private:
  SimulatedGuest& guest() { return conversation_->guest(); }

  // What every call that waits begins with.
  absl::Status Enter(const std::string& step, const std::string& what, const CallContext& context) {
    const std::string& pod_id = conversation_->pod_id();
    VCD_RETURN_IF_ERROR(world_->script().Enter(step, what.empty() ? pod_id : absl::StrCat(pod_id, " ", what),
                                               [&] { return conversation_->Hang(context); }));
    VCD_RETURN_IF_ERROR(conversation_->status());
    return context.Check(absl::StrCat("guest of pod ", pod_id));
  }

  template <typename T>
  static absl::StatusOr<T> ValueOf(std::variant<T, SimulatedGuest::Refusal> answer, const ProcessKey& key,
                                   absl::string_view step) {
    if (const auto* refusal = std::get_if<SimulatedGuest::Refusal>(&answer)) {
      return GuestErrorStatus(refusal->error, key, step, refusal->words);
    }
    return std::get<T>(std::move(answer));
  }

  static absl::StatusOr<int32_t> Pid(const SimulatedGuest::Answer& answer, const ProcessKey& key,
                                     absl::string_view step) {
    return ValueOf(answer, key, step);
  }

  const std::shared_ptr<World> world_;
  const std::shared_ptr<Conversation> conversation_;
  std::atomic<uint64_t> signs_of_life_{0};
  GuestInfo info_;
};

FakeAgent::FakeAgent(IoThread& io) : world_(std::make_shared<World>(io)) {}
FakeAgent::~FakeAgent() = default;

void FakeAgent::FailNth(const std::string& step, int n, absl::Status error) {
  world_->script().FailNth(step, n, std::move(error));
}
void FakeAgent::HangNth(const std::string& step, int n) { world_->script().HangNth(step, n); }
void FakeAgent::ForgetFaults() { world_->script().ForgetFaults(); }
bool FakeAgent::WaitUntilHanging(const std::string& step) { return world_->script().WaitUntilHanging(step); }
std::vector<std::string> FakeAgent::calls() const { return world_->script().calls(); }
GuestContainerSpec FakeAgent::last_spec() const { return world_->last_spec(); }
int FakeAgent::live_sessions() const { return world_->sessions(); }
std::shared_ptr<SimulatedGuest> FakeAgent::Guest(const std::string& pod_id) { return world_->Guest(pod_id); }
std::vector<v1::PodInterface> FakeAgent::interfaces(const std::string& pod_id) { return world_->Interfaces(pod_id); }

void FakeAgent::set_capabilities(const AgentCapabilities& capabilities) { world_->set_capabilities(capabilities); }
AgentCapabilities FakeAgent::capabilities() const { return world_->capabilities(); }

std::vector<std::string> FakeAgent::containers(const std::string& pod_id) {
  std::vector<std::string> ids;
  for (const SimulatedGuest::Process& process : Guest(pod_id)->Processes()) {
    if (process.process.key.process_id.empty()) ids.push_back(process.process.key.container_id);
  }
  return ids;
}

void FakeAgent::GiveGuest(const std::string& pod_id, std::shared_ptr<SimulatedGuest> guest) {
  world_->GiveGuest(pod_id, std::move(guest));
}
void FakeAgent::SetAnswersPings(const std::string& pod_id, bool answers) { world_->SetAnswersPings(pod_id, answers); }

void FakeAgent::TellMemoryPressure(const std::string& pod_id, double some_percent) {
  if (auto conversation = world_->Current(pod_id)) conversation->TellMemoryPressure(some_percent);
}

void FakeAgent::Lose(const std::string& pod_id, absl::Status why) {
  if (auto conversation = world_->Current(pod_id)) conversation->Lose(why);
}

absl::StatusOr<std::unique_ptr<GuestSession>> FakeAgent::Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                                 GuestObserver& observer, const CallContext& context) {
  const std::string guest = absl::StrCat("guest of pod ", spec.pod_id);
  VCD_RETURN_IF_ERROR(world_->script().Enter(
      "Connect", spec.pod_id, [&guest, &context] { return Completion<bool>().Wait(context, guest).status(); }));
  VCD_RETURN_IF_ERROR(context.Check(guest));
  std::shared_ptr<Conversation> before;
  std::shared_ptr<Conversation> conversation =
      world_->Open(spec.pod_id, machine.Record().process().SerializeAsString(), observer, &before);
  if (before != nullptr) before->Lose(GuestGoneStatus(spec.pod_id, "another connection took its place"));
  if (conversation == nullptr) return GuestGoneStatus(spec.pod_id, "it was powered off");
  return std::make_unique<Session>(world_, std::move(conversation));
}

}  // namespace vcd
