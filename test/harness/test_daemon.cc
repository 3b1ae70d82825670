// SPDX-License-Identifier: Apache-2.0
#include "test/harness/test_daemon.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/status/status_macros.h"
#include "daemon/config/config_loader.h"

namespace vcd {

TestDaemon::TestDaemon() {
  char directory[] = "/tmp/vcd-test-XXXXXX";
  root_ = mkdtemp(directory);
  std::filesystem::create_directory(rootfs());
  config_.set_state_dir(root_ + "/lib/state");
  config_.set_run_dir(root_ + "/run");
  config_.set_hypervisor("mock");
  config_.set_agent("noop");
  // Nothing here runs on hardware, so no time goes into finding out whether it could.
  config_.mutable_qemu()->set_accelerator("tcg");
  FillDefaults(config_);
}

TestDaemon::~TestDaemon() {
  Stop();
  std::filesystem::remove_all(root_);
}

absl::Status TestDaemon::Start() {
  VCD_RETURN_IF_ERROR(CheckConfig(config_));
  const auto factory = [this](const config::v1::DaemonConfig& config, IoThread& io) -> absl::StatusOr<BackendCatalog> {
    VCD_ASSIGN_OR_RETURN(BackendCatalog catalog, MakeBackendCatalog(config, io));
    auto simulated = std::make_unique<FakeAgent>(io);
    simulated_ = simulated.get();
    catalog.backends.agents["simulated"] = std::move(simulated);
    catalog.backends.hypervisors["simulated"] = std::make_unique<FakeHypervisor>(io);
    if (add_backends_) add_backends_(catalog.backends);
    return catalog;
  };
  VCD_ASSIGN_OR_RETURN(app_, App::Start(config_, factory));
  app_->WaitReconciled();
  return absl::OkStatus();
}

void TestDaemon::Stop() {
  simulated_ = nullptr;
  app_.reset();
}

std::shared_ptr<grpc::Channel> TestDaemon::Connect() const {
  grpc::ChannelArguments arguments;
  // Channels of one process to one address share a connection otherwise, and its back-off after a restart.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(app_->address().Target(), grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace vcd
