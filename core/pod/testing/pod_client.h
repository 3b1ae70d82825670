// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_TESTING_POD_CLIENT_H_
#define VCD_CORE_POD_TESTING_POD_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "core/pod/pod_runtime.h"

namespace vcd {

inline MutationOptions Soon(const std::string& request_id = "") { return {absl::Now() + absl::Minutes(2), request_id}; }

// A runtime's operations as calls that wait for their answer, up to two minutes. Containers are called `main` unless
// named.
class PodClient {
 public:
  virtual ~PodClient() = default;
  virtual PodRuntime& runtime() = 0;

  template <typename T>
  static absl::StatusOr<T> Await(const std::function<void(std::function<void(absl::StatusOr<T>)>)>& call) {
    Completion<T> completion;
    call([completion](absl::StatusOr<T> result) { completion.Set(std::move(result)); });
    return completion.Wait({Soon().deadline, nullptr}, "the answer");
  }
  static absl::Status AwaitDone(const std::function<void(PodRuntime::DoneCallback)>& call) {
    return Await<bool>([&](std::function<void(absl::StatusOr<bool>)> set) {
             call([set](const absl::Status& status) { status.ok() ? set(true) : set(absl::StatusOr<bool>(status)); });
           })
        .status();
  }

  absl::StatusOr<v1::Pod> Create(const v1::PodConfig& config, const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime().CreatePod(config, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Run(const v1::PodConfig& config, const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime().RunPod(config, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Start(const std::string& id, const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime().StartPod(id, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Stop(const std::string& id, bool force = false, const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime().StopPod(id, {.force = force}, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Pause(const std::string& id, const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime().PausePod(id, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Resume(const std::string& id, const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime().ResumePod(id, Soon(request_id), done); });
  }
  absl::StatusOr<Released> Delete(const std::string& id, bool force = false, const std::string& request_id = "") {
    return Await<Released>([&](auto done) { runtime().DeletePod(id, force, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Annotate(const std::string& id, const std::string& key, const std::string& value,
                                   const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) {
      runtime().UpdatePodAnnotations(id, {{key, value}}, {}, Soon(request_id), done);
    });
  }
  absl::StatusOr<AttachedInterface> AttachInterface(const std::string& id, const v1::CniNetwork& network,
                                                    const std::string& request_id = "") {
    return Await<AttachedInterface>([&](auto done) { runtime().AttachInterface(id, network, Soon(request_id), done); });
  }
  absl::StatusOr<DetachedInterface> DetachInterface(const std::string& id, const std::string& interface_name,
                                                    const std::string& request_id = "") {
    return Await<DetachedInterface>(
        [&](auto done) { runtime().DetachInterface(id, interface_name, Soon(request_id), done); });
  }
  absl::StatusOr<CheckpointedPod> Checkpoint(const std::string& id, const std::string& directory, bool stop = false,
                                             const std::string& request_id = "") {
    return Await<CheckpointedPod>(
        [&](auto done) { runtime().CheckpointPod(id, directory, stop, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Restore(const std::string& directory, const std::string& id = "",
                                  const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime().RestorePod(directory, id, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Container> CreateContainer(const std::string& id, const v1::ContainerConfig& config,
                                                const std::string& request_id = "") {
    return Await<v1::Container>([&](auto done) { runtime().CreateContainer(id, config, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Container> StartContainer(const std::string& id, const std::string& container_id,
                                               const std::string& request_id = "") {
    return Await<v1::Container>([&](auto done) { runtime().StartContainer(id, container_id, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Container> StopContainer(const std::string& id, const std::string& container_id,
                                              const std::string& request_id = "", bool force = false) {
    const StopOptions stop{.force = force, .grace = absl::Seconds(20)};
    return Await<v1::Container>(
        [&](auto done) { runtime().StopContainer(id, container_id, stop, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Update(const std::string& id, uint32_t vcpus, uint32_t memory_mib,
                                 const std::string& request_id = "") {
    v1::VmResources resources;
    resources.set_vcpus(vcpus);
    resources.set_memory_mib(memory_mib);
    return Await<v1::Pod>([&](auto done) { runtime().UpdatePod(id, resources, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Container> UpdateContainer(const std::string& id, const v1::ContainerResources& change,
                                                const std::string& request_id = "") {
    return Await<v1::Container>(
        [&](auto done) { runtime().UpdateContainer(id, "main", change, Soon(request_id), done); });
  }
  absl::StatusOr<std::vector<v1::ProcessInfo>> ListProcesses(const std::string& id) {
    return Await<std::vector<v1::ProcessInfo>>(
        [&](auto done) { runtime().ListProcesses(id, "main", Soon().deadline, done); });
  }
  absl::StatusOr<v1::ContainerStats> ContainerStats(const std::string& id) {
    return Await<v1::ContainerStats>(
        [&](auto done) { runtime().GetContainerStats(id, "main", Soon().deadline, done); });
  }
  absl::StatusOr<v1::PodStats> PodStats(const std::string& id) {
    return Await<v1::PodStats>([&](auto done) { runtime().GetPodStats(id, Soon().deadline, done); });
  }
  absl::Status DeleteContainer(const std::string& id, const std::string& container_id,
                               const std::string& request_id = "", bool force = false) {
    return AwaitDone([&](auto done) { runtime().DeleteContainer(id, container_id, force, Soon(request_id), done); });
  }
  absl::StatusOr<ExecResult> Exec(const std::string& id, const std::vector<std::string>& args,
                                  const std::string& request_id = "") {
    v1::Cmd cmd;
    for (const std::string& arg : args) cmd.add_args(arg);
    return ExecCmd(id, cmd, request_id);
  }
  absl::StatusOr<ExecResult> ExecCmd(const std::string& id, const v1::Cmd& cmd, const std::string& request_id = "") {
    return Await<ExecResult>([&](auto done) { runtime().Exec(id, "main", cmd, Soon(request_id), done); });
  }
  absl::StatusOr<ProcessKey> PortForward(const std::string& id, uint16_t port) {
    return Await<ProcessKey>([&](auto done) { runtime().PortForward(id, {"", port}, Soon().deadline, done); });
  }
  absl::Status Kill(const std::string& id, int signal, const std::string& request_id = "") {
    return AwaitDone([&](auto done) { runtime().Signal(id, {"main", ""}, signal, false, Soon(request_id), done); });
  }
  absl::StatusOr<v1::ExitStatus> Wait(const std::string& id, const std::string& process = "") {
    std::unique_ptr<PodRuntime::WaitHandle> handle;
    return Await<v1::ExitStatus>([&](auto done) { handle = runtime().Wait(id, {"main", process}, done); });
  }
  v1::Pod Get(const std::string& id) {
    auto pod = runtime().GetPod(id);
    return pod.ok() ? (*pod)->Unpack() : v1::Pod();
  }
};

}  // namespace vcd

#endif  // VCD_CORE_POD_TESTING_POD_CLIENT_H_
