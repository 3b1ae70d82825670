// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_TESTING_FAKE_POD_RUNTIME_H_
#define VCD_DAEMON_SERVICE_TESTING_FAKE_POD_RUNTIME_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/os/mutex.h"
#include "core/pod/pod_runtime.h"

namespace vcd {

// A PodRuntime that does what a test says, one step at a time. It has one process, whose output, input and exit the
// test plays; mutations are written down and answered at once with `answer`. Thread-safe.
class FakePodRuntime : public PodRuntime {
 public:
  FakePodRuntime();
  ~FakePodRuntime() override;

  // ---- What the test plays ----
  // The pod that reads show.
  void SetPods(std::vector<v1::Pod> pods);
  // What mutations, Attach, ReadLogs and Wait answer from now on.
  void SetAnswer(absl::Status answer);
  // The process writes. Callbacks of waiting readers run on this thread.
  void Write(StdStream stream, const std::string& data);
  // There will be no more output, with an error or without.
  void EndOutput(absl::Status status = absl::OkStatus());
  // The process ends.
  void Exit(int code);
  // Whether input is answered at once; otherwise when TakeInput is called.
  void HoldInput(bool hold);
  void TakeInput(absl::Status status = absl::OkStatus());
  // Whether it is not known yet what runs in pods: who asks then waits for EndRecovery.
  void BeginRecovery();
  void EndRecovery(const absl::Status& status = absl::OkStatus());

  // ---- What the test sees ----
  // Mutations and starts of reading, as "StopPod web force=1 grace=3s".
  std::vector<std::string> calls() const;
  std::string input() const;
  bool input_closed() const;
  absl::Time last_deadline() const;
  // Blocks until so much input has come, there are so many readers, or so many waits.
  void AwaitInput(const std::string& input) const;
  void AwaitInputClosed() const;
  void AwaitCall(const std::string& call) const;
  void AwaitWriter(bool there) const;
  void AwaitReaders(int count) const;
  void AwaitWaits(int count) const;
  void AwaitRecoveryWaits(int count) const;

  // ---- PodRuntime ----
  void WaitReconciled() override {}
  void BeginShutdown() override {}
  absl::StatusOr<std::shared_ptr<const PodSnapshot>> GetPod(const std::string& pod_id) const override;
  std::vector<std::shared_ptr<const PodSnapshot>> ListPods() const override;
  std::vector<std::shared_ptr<const PodSnapshot>> ListPodsAfter(const std::string& id, size_t most) const override;
  RuntimeLoad load() const override { return {}; }
  void CreatePod(v1::PodConfig config, const MutationOptions& options, PodCallback done) override;
  void RunPod(v1::PodConfig config, const MutationOptions& options, PodCallback done) override;
  void StartPod(const std::string& pod_id, const MutationOptions& options, PodCallback done) override;
  void StopPod(const std::string& pod_id, const StopOptions& stop, const MutationOptions& options,
               PodCallback done) override;
  void PausePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) override;
  void ResumePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) override;
  void DeletePod(const std::string& pod_id, bool force, const MutationOptions& options,
                 std::function<void(absl::StatusOr<Released>)> done) override;
  void UpdatePod(const std::string& pod_id, const v1::VmResources& resources, const MutationOptions& options,
                 PodCallback done) override;
  void UpdatePodAnnotations(const std::string& pod_id, const std::map<std::string, std::string>& set,
                            const std::vector<std::string>& remove_keys, const MutationOptions& options,
                            PodCallback done) override;
  void AttachInterface(const std::string& pod_id, const v1::CniNetwork& network, const MutationOptions& options,
                       std::function<void(absl::StatusOr<AttachedInterface>)> done) override;
  // Every pod has `eth0`, and no other.
  void DetachInterface(const std::string& pod_id, const std::string& interface_name, const MutationOptions& options,
                       std::function<void(absl::StatusOr<DetachedInterface>)> done) override;
  // Of a checkpoint of 7 bytes.
  void CheckpointPod(const std::string& pod_id, const std::string& directory, bool stop, const MutationOptions& options,
                     std::function<void(absl::StatusOr<CheckpointedPod>)> done) override;
  void RestorePod(const std::string& directory, const std::string& pod_id, const MutationOptions& options,
                  PodCallback done) override;
  // One, with the key `cafe`.
  std::vector<TemplateInfo> ListTemplates() const override;
  void PrepareTemplate(const v1::PodConfig& config, std::function<void(absl::StatusOr<TemplateInfo>)> done) override;
  void DeleteTemplate(const std::string& key,
                      std::function<void(absl::StatusOr<std::vector<std::string>>)> done) override;
  void CreateContainer(const std::string& pod_id, v1::ContainerConfig config, const MutationOptions& options,
                       ContainerCallback done) override;
  void StartContainer(const std::string& pod_id, const std::string& container_id, const MutationOptions& options,
                      ContainerCallback done) override;
  void StopContainer(const std::string& pod_id, const std::string& container_id, const StopOptions& stop,
                     const MutationOptions& options, ContainerCallback done) override;
  void DeleteContainer(const std::string& pod_id, const std::string& container_id, bool force,
                       const MutationOptions& options, DoneCallback done) override;
  void UpdateContainer(const std::string& pod_id, const std::string& container_id, const v1::ContainerResources& change,
                       const MutationOptions& options, ContainerCallback done) override;
  void ListProcesses(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                     ProcessesCallback done) override;
  void GetContainerStats(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                         ContainerStatsCallback done) override;
  void GetPodStats(const std::string& pod_id, absl::Time deadline, PodStatsCallback done) override;
  void AwaitRecovery(const std::string& pod_id, absl::Time deadline, DoneCallback done) override;
  void Exec(const std::string& pod_id, const std::string& container_id, v1::Cmd cmd, const MutationOptions& options,
            std::function<void(absl::StatusOr<ExecResult>)> done) override;
  // Two, one of which has ended.
  absl::StatusOr<std::vector<v1::ExecInfo>> ListExecs(const std::string& pod_id,
                                                      const std::string& container_id) const override;
  void ExecArchive(const std::string& pod_id, const std::string& container_id, GuestArchive archive,
                   const MutationOptions& options, std::function<void(absl::StatusOr<ExecResult>)> done) override;
  void PortForward(const std::string& pod_id, const GuestDial& dial, absl::Time deadline,
                   std::function<void(absl::StatusOr<ProcessKey>)> done) override;
  void EndPortForward(const std::string& pod_id, const ProcessKey& process) override;
  void Signal(const std::string& pod_id, const ProcessKey& process, int signal, bool all,
              const MutationOptions& options, DoneCallback done) override;
  std::unique_ptr<WaitHandle> Wait(const std::string& pod_id, const ProcessKey& process,
                                   std::function<void(absl::StatusOr<v1::ExitStatus>)> done) override;
  absl::StatusOr<std::unique_ptr<OutputReader>> Attach(const std::string& pod_id, const ProcessKey& process,
                                                       OutputStart start) override;
  absl::StatusOr<std::unique_ptr<OutputReader>> ReadLogs(const std::string& pod_id, const std::string& container_id,
                                                         const LogSelection& selection) override;
  absl::StatusOr<std::unique_ptr<OutputReader>> ReadConsole(const std::string& pod_id,
                                                            const ConsoleSelection& selection) override;
  absl::StatusOr<std::unique_ptr<InputWriter>> OpenInput(const std::string& pod_id, const ProcessKey& process) override;
  bool HasWriter(const std::string& pod_id, const ProcessKey& process) const override;
  void CloseInput(const std::string& pod_id, const ProcessKey& process, absl::Time deadline,
                  DoneCallback done) override;
  void ResizeTerminal(const std::string& pod_id, const ProcessKey& process, const v1::TerminalSize& size,
                      const MutationOptions& options, DoneCallback done) override;

 private:
  class Reader;
  class Waiter;
  class Writer;

  // As calls have it.
  static std::string NameOf(const ProcessKey& process);

  void WriteInput(std::string data, bool close, DoneCallback done) ABSL_LOCKS_EXCLUDED(mu_);
  // Writes the call down; returns the answer.
  absl::Status Note(const std::string& call, absl::Time deadline = absl::InfiniteFuture()) ABSL_LOCKS_EXCLUDED(mu_);
  void AnswerPod(const std::string& call, const std::string& pod_id, absl::Time deadline, const PodCallback& done);
  void AnswerContainer(const std::string& call, const std::string& pod_id, const std::string& container_id,
                       absl::Time deadline, const ContainerCallback& done);
  absl::StatusOr<std::unique_ptr<OutputReader>> NewReader(const std::string& call);
  // Runs the callbacks of readers for which there is something.
  void Serve() ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  mutable CondVar changed_;
  std::vector<std::shared_ptr<const PodSnapshot>> pods_ ABSL_GUARDED_BY(mu_);
  absl::Status answer_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  absl::Time last_deadline_ ABSL_GUARDED_BY(mu_);
  std::vector<OutputChunk> output_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> output_end_ ABSL_GUARDED_BY(mu_);
  std::optional<int> exit_code_ ABSL_GUARDED_BY(mu_);
  std::set<Reader*> readers_ ABSL_GUARDED_BY(mu_);
  std::set<Waiter*> waits_ ABSL_GUARDED_BY(mu_);
  bool input_taken_ ABSL_GUARDED_BY(mu_) = false;
  std::string input_ ABSL_GUARDED_BY(mu_);
  bool input_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool hold_input_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<DoneCallback> input_done_ ABSL_GUARDED_BY(mu_);
  bool recovering_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<DoneCallback> recovery_done_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_TESTING_FAKE_POD_RUNTIME_H_
