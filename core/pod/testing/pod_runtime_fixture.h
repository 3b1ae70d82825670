// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_TESTING_POD_RUNTIME_FIXTURE_H_
#define VCD_CORE_POD_TESTING_POD_RUNTIME_FIXTURE_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/agent/testing/fake_agent.h"
#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/network/testing/fake_network.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/pod/pod_runtime.h"
#include "core/pod/testing/pod_client.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {

inline v1::ErrorReason ReasonOf(const absl::Status& status) { return DetailOf(status).value_or(ErrorDetail()).reason; }

// A daemon's core on fakes: the fakes stay while the core is made anew, as machines do when the daemon restarts.
class PodRuntimeTest : public testing::Test, public PodClient {
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

  // testing::Test has one too.
  using PodClient::Run;
  PodRuntime& runtime() override { return *runtime_; }

  void Restart() {
    ASSERT_NO_FATAL_FAILURE(BeginRestart());
    runtime_->WaitReconciled();
  }

  // Without waiting for what it reconciles.
  void BeginRestart() {
    runtime_.reset();
    auto runtime = PodRuntime::Open(options_, backends_, filesystem_, io_, pool_, events_);
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
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

  // Waits for an event of the pod; one of type UNSPECIFIED when it does not come.
  v1::Event AwaitEvent(EventReader& reader, v1::EventType type) {
    while (true) {
      auto event = Await<std::shared_ptr<const v1::Event>>([&](auto done) { reader.Next(done); });
      EXPECT_TRUE(event.ok()) << event.status();
      if (!event.ok()) return {};
      if ((*event)->type() == type) return **event;
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
