// SPDX-License-Identifier: Apache-2.0
#include "test/recovery/mortal_backends.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Runs `effect` between its two steps. What it gave is dropped when the daemon dies with it: a handle lets go.
template <typename Effect>
auto Step(CrashPoint& life, const std::string& step, const Effect& effect) -> decltype(effect()) {
  VCD_RETURN_IF_ERROR(life.Reach(absl::StrCat("before ", step)));
  auto result = effect();
  VCD_RETURN_IF_ERROR(life.Reach(absl::StrCat("after ", step)));
  return result;
}

class MortalMachine : public VirtualMachine {
 public:
  MortalMachine(std::unique_ptr<VirtualMachine> inner, CrashPoint& life) : inner_(std::move(inner)), life_(life) {}

  void GiveTo(const std::string& pod_id) override {
    if (!life_.dead()) inner_->GiveTo(pod_id);
  }
  state::v1::VirtualMachine Record() const override { return inner_->Record(); }
  absl::StatusOr<UniqueFd> ConnectAgent(const CallContext& context) override { return inner_->ConnectAgent(context); }
  absl::Status Pause(const CallContext& context) override {
    return Step(life_, "Pause", [&] { return inner_->Pause(context); });
  }
  absl::Status Resume(const CallContext& context) override {
    return Step(life_, "Resume", [&] { return inner_->Resume(context); });
  }
  absl::StatusOr<VmSize> Resize(const VmSize& size, const CallContext& context) override {
    return Step(life_, "Resize", [&] { return inner_->Resize(size, context); });
  }
  absl::StatusOr<DiskAddress> AttachDisk(const DiskSpec& disk, const CallContext& context) override {
    return Step(life_, "AttachDisk", [&] { return inner_->AttachDisk(disk, context); });
  }
  absl::Status DetachDisk(const std::string& id, const CallContext& context) override {
    return Step(life_, "DetachDisk", [&] { return inner_->DetachDisk(id, context); });
  }
  absl::StatusOr<SharedPath> ShareDirectory(const ShareSpec& share, const CallContext& context) override {
    return Step(life_, "ShareDirectory", [&] { return inner_->ShareDirectory(share, context); });
  }
  absl::Status UnshareDirectory(const std::string& tag, const CallContext& context) override {
    return Step(life_, "UnshareDirectory", [&] { return inner_->UnshareDirectory(tag, context); });
  }
  absl::Status SaveImage(const std::string& directory, const CallContext& context) override {
    return Step(life_, "SaveImage", [&] { return inner_->SaveImage(directory, context); });
  }
  absl::Status AttachNic(NicSpec nic, const CallContext& context) override {
    return Step(life_, "AttachNic", [&] { return inner_->AttachNic(std::move(nic), context); });
  }
  absl::Status DetachNic(const std::string& id, const CallContext& context) override {
    return Step(life_, "DetachNic", [&] { return inner_->DetachNic(id, context); });
  }
  absl::Status AttachHostDevice(const std::string& id, const std::string& pci_address,
                                const CallContext& context) override {
    return Step(life_, "AttachHostDevice", [&] { return inner_->AttachHostDevice(id, pci_address, context); });
  }
  absl::Status DetachHostDevice(const std::string& id, const CallContext& context) override {
    return Step(life_, "DetachHostDevice", [&] { return inner_->DetachHostDevice(id, context); });
  }
  absl::Status Stop(StopMode mode, const CallContext& context) override {
    return Step(life_, "Stop", [&] { return inner_->Stop(mode, context); });
  }
  void OnExit(std::function<void(const std::string& reason)> callback) override {
    if (callback == nullptr) return inner_->OnExit(nullptr);
    inner_->OnExit([this, callback = std::move(callback)](const std::string& reason) {
      if (!life_.dead()) callback(reason);
    });
  }
  std::string ConsoleTail() const override { return inner_->ConsoleTail(); }

 private:
  const std::unique_ptr<VirtualMachine> inner_;
  CrashPoint& life_;
};

class MortalHypervisor : public Hypervisor {
 public:
  MortalHypervisor(Hypervisor& inner, CrashPoint& life) : inner_(inner), life_(life) {}

  HypervisorCapabilities capabilities() const override { return inner_.capabilities(); }
  absl::StatusOr<v1::HypervisorConfig> Resolve(const v1::HypervisorConfig& config,
                                               const CallContext& context) const override {
    return inner_.Resolve(config, context);
  }
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Boot(const VmSpec& spec, const CallContext& context) override {
    return Wrap(Step(life_, "Boot", [&] { return inner_.Boot(spec, context); }));
  }
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const VmSpec& spec, const state::v1::VirtualMachine& record,
                                                        const CallContext& context) override {
    return Wrap(Step(life_, "Adopt", [&] { return inner_.Adopt(spec, record, context); }));
  }
  absl::StatusOr<std::string> ImageKey(const VmSpec& spec, const CallContext& context) const override {
    return inner_.ImageKey(spec, context);
  }
  absl::Status CheckImage(const VmSpec& spec, const CallContext& context) const override {
    return inner_.CheckImage(spec, context);
  }
  absl::Status Reap(const std::string& run_dir, const CallContext& context) override {
    return Step(life_, "Reap", [&] { return inner_.Reap(run_dir, context); });
  }

 private:
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Wrap(absl::StatusOr<std::unique_ptr<VirtualMachine>> machine) {
    VCD_RETURN_IF_ERROR(machine.status());
    return std::make_unique<MortalMachine>(*std::move(machine), life_);
  }

  Hypervisor& inner_;
  CrashPoint& life_;
};

// Tells the daemon nothing once it is dead.
class MortalObserver : public GuestObserver {
 public:
  MortalObserver(GuestObserver& inner, CrashPoint& life) : inner_(inner), life_(life) {}
  void OnOutput(const ProcessKey& process, StdStream stream, uint64_t offset, std::string data) override {
    if (!life_.dead()) inner_.OnOutput(process, stream, offset, std::move(data));
  }
  void OnProcessExit(const ProcessKey& process, const v1::ExitStatus& status) override {
    if (!life_.dead()) inner_.OnProcessExit(process, status);
  }
  void OnOutOfMemory(const std::string& container_id, uint64_t kills) override {
    if (!life_.dead()) inner_.OnOutOfMemory(container_id, kills);
  }
  void OnMemoryPressure(double some_percent) override {
    if (!life_.dead()) inner_.OnMemoryPressure(some_percent);
  }
  void OnGuestLost(const absl::Status& why) override {
    if (!life_.dead()) inner_.OnGuestLost(why);
  }

 private:
  GuestObserver& inner_;
  CrashPoint& life_;
};

class MortalSession : public GuestSession {
 public:
  explicit MortalSession(CrashPoint& life) : life_(life) {}
  // The observer outlives the session.
  std::unique_ptr<MortalObserver> observer;
  std::unique_ptr<GuestSession> inner;

  ~MortalSession() override { inner.reset(); }
  const GuestInfo& info() const override { return inner->info(); }
  void Observe() override { inner->Observe(); }
  absl::StatusOr<int32_t> CreateContainer(const GuestContainerSpec& spec, const CallContext& context) override {
    return Step(life_, "CreateContainer", [&] { return inner->CreateContainer(spec, context); });
  }
  absl::Status StartContainer(const std::string& id, const CallContext& context) override {
    return Step(life_, "StartContainer", [&] { return inner->StartContainer(id, context); });
  }
  absl::Status RemoveContainer(const std::string& id, const CallContext& context) override {
    return Step(life_, "RemoveContainer", [&] { return inner->RemoveContainer(id, context); });
  }
  absl::StatusOr<int32_t> Exec(const ProcessKey& process, const v1::Cmd& cmd, const CallContext& context) override {
    return Step(life_, "Exec", [&] { return inner->Exec(process, cmd, context); });
  }
  absl::StatusOr<int32_t> ExecArchive(const ProcessKey& process, const GuestArchive& archive,
                                      const CallContext& context) override {
    return Step(life_, "ExecArchive", [&] { return inner->ExecArchive(process, archive, context); });
  }
  absl::StatusOr<int32_t> ExecDial(const ProcessKey& process, const GuestDial& dial,
                                   const CallContext& context) override {
    return Step(life_, "ExecDial", [&] { return inner->ExecDial(process, dial, context); });
  }
  absl::Status Signal(const ProcessKey& process, int signal, bool all, const CallContext& context) override {
    return Step(life_, "Signal", [&] { return inner->Signal(process, signal, all, context); });
  }
  absl::Status ResizeTerminal(const ProcessKey& process, const v1::TerminalSize& size,
                              const CallContext& context) override {
    return Step(life_, "ResizeTerminal", [&] { return inner->ResizeTerminal(process, size, context); });
  }
  absl::StatusOr<std::vector<v1::ProcessInfo>> ListProcesses(const std::string& id,
                                                             const CallContext& context) override {
    return Step(life_, "ListProcesses", [&] { return inner->ListProcesses(id, context); });
  }
  absl::StatusOr<GuestUsage> GetUsage(const std::string& id, const CallContext& context) override {
    return Step(life_, "GetUsage", [&] { return inner->GetUsage(id, context); });
  }
  absl::Status UpdateResources(const std::string& id, const v1::ContainerResources& change,
                               const v1::ContainerResources& all, const CallContext& context) override {
    return Step(life_, "UpdateResources", [&] { return inner->UpdateResources(id, change, all, context); });
  }
  absl::Status SetCpus(uint32_t count, const CallContext& context) override {
    return Step(life_, "SetCpus", [&] { return inner->SetCpus(count, context); });
  }
  absl::Status SetClock(const CallContext& context) override {
    return Step(life_, "SetClock", [&] { return inner->SetClock(context); });
  }
  absl::Status SetInterface(const v1::PodInterface& interface, const CallContext& context) override {
    return Step(life_, "SetInterface", [&] { return inner->SetInterface(interface, context); });
  }
  absl::Status RemoveInterface(const std::string& mac, const CallContext& context) override {
    return Step(life_, "RemoveInterface", [&] { return inner->RemoveInterface(mac, context); });
  }
  void Ping() override {
    if (!life_.dead()) inner->Ping();
  }
  uint64_t signs_of_life() const override { return inner->signs_of_life(); }
  absl::Status RemoveProcess(const ProcessKey& process, const CallContext& context) override {
    return Step(life_, "RemoveProcess", [&] { return inner->RemoveProcess(process, context); });
  }
  void WriteInput(const ProcessKey& process, std::string data, bool close,
                  std::function<void(absl::Status)> done) override {
    if (!life_.dead()) inner->WriteInput(process, std::move(data), close, std::move(done));
  }
  void AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset) override {
    if (!life_.dead()) inner->AcknowledgeOutput(process, stream, offset);
  }
  absl::Status Shutdown(const CallContext& context) override {
    return Step(life_, "Shutdown", [&] { return inner->Shutdown(context); });
  }

 private:
  CrashPoint& life_;
};

class MortalAgent : public Agent {
 public:
  MortalAgent(Agent& inner, CrashPoint& life) : inner_(inner), life_(life) {}

  AgentCapabilities capabilities() const override { return inner_.capabilities(); }
  absl::StatusOr<std::unique_ptr<GuestSession>> Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                        GuestObserver& observer, const CallContext& context) override {
    auto session = std::make_unique<MortalSession>(life_);
    session->observer = std::make_unique<MortalObserver>(observer, life_);
    VCD_ASSIGN_OR_RETURN(session->inner, Step(life_, "Connect", [&] {
                           return inner_.Connect(spec, machine, *session->observer, context);
                         }));
    return std::unique_ptr<GuestSession>(std::move(session));
  }

 private:
  Agent& inner_;
  CrashPoint& life_;
};

class MortalNetwork : public Network {
 public:
  MortalNetwork(Network& inner, CrashPoint& life) : inner_(inner), life_(life) {}

  absl::Status Check(const v1::NetworkConfig& config) const override { return inner_.Check(config); }
  absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) override {
    return Step(life_, "network Open", [&] { return inner_.Open(pod, context); });
  }
  absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) override {
    return Step(life_, "network Attach", [&] { return inner_.Attach(pod, context); });
  }
  absl::Status Detach(const NetworkPod& pod, const CallContext& context) override {
    return Step(life_, "network Detach", [&] { return inner_.Detach(pod, context); });
  }
  absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                const CallContext& context) override {
    return Step(life_, "network AddInterface", [&] { return inner_.AddInterface(pod, network, context); });
  }
  absl::Status RemoveInterface(const NetworkPod& pod, const std::string& name, const CallContext& context) override {
    return Step(life_, "network RemoveInterface", [&] { return inner_.RemoveInterface(pod, name, context); });
  }
  absl::Status Verify(const NetworkPod& pod, const CallContext& context) override {
    return inner_.Verify(pod, context);
  }

 private:
  Network& inner_;
  CrashPoint& life_;
};

}  // namespace

Backends MortalBackends(Backends& world, CrashPoint& life) {
  Backends mortal;
  for (auto& [name, inner] : world.hypervisors) {
    mortal.hypervisors[name] = std::make_unique<MortalHypervisor>(*inner, life);
  }
  for (auto& [name, inner] : world.agents) mortal.agents[name] = std::make_unique<MortalAgent>(*inner, life);
  for (auto& [name, inner] : world.networks) mortal.networks[name] = std::make_unique<MortalNetwork>(*inner, life);
  mortal.default_hypervisor = world.default_hypervisor;
  mortal.default_agent = world.default_agent;
  mortal.default_network = world.default_network;
  return mortal;
}

}  // namespace vcd
