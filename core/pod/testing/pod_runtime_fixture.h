// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_TESTING_POD_RUNTIME_FIXTURE_H_
#define VCD_CORE_POD_TESTING_POD_RUNTIME_FIXTURE_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "core/agent/testing/fake_agent.h"
#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/network/testing/fake_network.h"
#include "core/os/completion.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/pod/pod_runtime.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {

inline MutationOptions Soon(const std::string& request_id = "") {
  return {absl::Now() + absl::Seconds(30), request_id};
}

inline v1::ErrorReason ReasonOf(const absl::Status& status) { return DetailOf(status).value_or(ErrorDetail()).reason; }

// A daemon's core on fakes: the fakes stay while the core is made anew, as machines do when the daemon restarts.
class PodRuntimeTest : public testing::Test {
 protected:
  PodRuntimeTest() {
    std::filesystem::create_directories(root_ + "/rootfs");
    backends_.hypervisors["fake"] = std::make_unique<FakeHypervisor>(io_);
    backends_.agents["fake"] = std::make_unique<FakeAgent>(io_);
    backends_.networks["fake"] = std::make_unique<FakeNetwork>();
    backends_.default_hypervisor = backends_.default_agent = backends_.default_network = "fake";
    options_.state_dir = root_ + "/state";
    options_.run_dir = root_ + "/run";
    options_.boot_timeout = absl::Seconds(20);
    options_.stop_grace = absl::Seconds(20);
    Restart();
  }

  ~PodRuntimeTest() override { runtime_.reset(); }

  FakeHypervisor& hypervisor() { return static_cast<FakeHypervisor&>(*backends_.hypervisors["fake"]); }
  FakeAgent& agent() { return static_cast<FakeAgent&>(*backends_.agents["fake"]); }
  FakeNetwork& network() { return static_cast<FakeNetwork&>(*backends_.networks["fake"]); }

  void Restart() {
    runtime_.reset();
    auto runtime = PodRuntime::Open(options_, backends_, filesystem_, io_, pool_, events_);
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
    runtime_->WaitReconciled();
  }

  v1::PodConfig Config(const std::string& id, const std::string& program = "sleep") {
    v1::PodConfig config;
    config.set_id(id);
    v1::ContainerConfig& container = *config.add_containers();
    container.set_id("main");
    container.mutable_rootfs()->mutable_directory()->set_path(root_ + "/rootfs");
    container.mutable_cmd()->add_args(program);
    return config;
  }

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
    return Await<v1::Pod>([&](auto done) { runtime_->CreatePod(config, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Run(const v1::PodConfig& config) {
    return Await<v1::Pod>([&](auto done) { runtime_->RunPod(config, Soon(), done); });
  }
  absl::StatusOr<v1::Pod> Start(const std::string& id, const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime_->StartPod(id, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Stop(const std::string& id, bool force = false, const std::string& request_id = "") {
    return Await<v1::Pod>([&](auto done) { runtime_->StopPod(id, {.force = force}, Soon(request_id), done); });
  }
  absl::StatusOr<v1::Pod> Pause(const std::string& id) {
    return Await<v1::Pod>([&](auto done) { runtime_->PausePod(id, Soon(), done); });
  }
  absl::StatusOr<v1::Pod> Resume(const std::string& id) {
    return Await<v1::Pod>([&](auto done) { runtime_->ResumePod(id, Soon(), done); });
  }
  absl::StatusOr<Released> Delete(const std::string& id, bool force = false) {
    return Await<Released>([&](auto done) { runtime_->DeletePod(id, force, Soon(), done); });
  }
  absl::StatusOr<ExecResult> Exec(const std::string& id, const std::vector<std::string>& args,
                                  const std::string& request_id = "") {
    v1::Cmd cmd;
    for (const std::string& arg : args) cmd.add_args(arg);
    return Await<ExecResult>([&](auto done) { runtime_->Exec(id, "main", cmd, Soon(request_id), done); });
  }
  absl::Status Kill(const std::string& id, int signal, const std::string& request_id = "") {
    return AwaitDone([&](auto done) { runtime_->Signal(id, {"main", ""}, signal, false, Soon(request_id), done); });
  }
  absl::StatusOr<v1::ExitStatus> Wait(const std::string& id, const std::string& process = "") {
    std::unique_ptr<PodRuntime::WaitHandle> handle;
    return Await<v1::ExitStatus>([&](auto done) { handle = runtime_->Wait(id, {"main", process}, done); });
  }
  v1::Pod Get(const std::string& id) {
    auto pod = runtime_->GetPod(id);
    return pod.ok() ? **pod : v1::Pod();
  }
  // Waits for an event of the pod.
  void AwaitEvent(EventReader& reader, v1::EventType type) {
    while (true) {
      auto event = Await<std::shared_ptr<const v1::Event>>([&](auto done) { reader.Next(done); });
      ASSERT_TRUE(event.ok()) << event.status();
      if ((*event)->type() == type) return;
    }
  }
  std::unique_ptr<EventReader> Events() { return *events_.Subscribe(0, ""); }

  // Nothing is left of any pod: not in the backends, not on disk.
  void ExpectNothingLeft() {
    EXPECT_THAT(hypervisor().live_machines(), testing::IsEmpty());
    EXPECT_EQ(agent().live_sessions(), 0);
    EXPECT_THAT(network().attached(), testing::IsEmpty());
    EXPECT_TRUE(std::filesystem::is_empty(options_.state_dir + "/pods"));
    EXPECT_TRUE(std::filesystem::is_empty(options_.run_dir + "/pods"));
    EXPECT_THAT(runtime_->ListPods(), testing::IsEmpty());
  }

  TemporaryDirectory directory_;
  const std::string root_ = directory_.path();
  PosixFilesystem filesystem_;
  IoThread io_;
  WorkerPool pool_{16};
  EventBus events_;
  Backends backends_;
  PodRuntimeOptions options_;
  std::unique_ptr<PodRuntime> runtime_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_TESTING_POD_RUNTIME_FIXTURE_H_
