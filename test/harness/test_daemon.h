// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_HARNESS_TEST_DAEMON_H_
#define VCD_TEST_HARNESS_TEST_DAEMON_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/agent/testing/fake_agent.h"
#include "daemon/app/app.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"

namespace vcd {

// A whole daemon in the test process: the application that ships, on mock machines, under a temporary directory, behind
// a real socket. Beside the backends of the catalogue it has the agent `simulated`, whose guests run pretended
// processes, and the hypervisor `simulated`, whose machines it can talk to (core/*/testing). For one thread.
class TestDaemon {
 public:
  // Does not start it.
  TestDaemon();
  // Stops it and removes all it made.
  ~TestDaemon();
  TestDaemon(const TestDaemon&) = delete;
  TestDaemon& operator=(const TestDaemon&) = delete;

  // To be changed before the start: mock, noop, none, and paths under root() so far.
  config::v1::DaemonConfig& config() { return config_; }

  // More backends for the daemons that are started from now on.
  void AddBackends(std::function<void(Backends&)> add) { add_backends_ = std::move(add); }

  // Starts it and waits until what it found is reconciled.
  absl::Status Start();
  // Stops it; pods stay.
  void Stop();

  // Where it serves metrics; empty when it does not.
  std::string metrics_address() const {
    const MetricsAddress* address = app_->metrics_address();
    return address == nullptr ? "" : address->Text();
  }

  // A new connection.
  std::shared_ptr<grpc::Channel> Connect() const;

  // The agent `simulated` of the running daemon.
  FakeAgent& simulated() { return *simulated_; }

  // A directory of its own in /tmp.
  const std::string& root() const { return root_; }
  // A directory that can serve as a rootfs.
  std::string rootfs() const { return root_ + "/rootfs"; }

 private:
  std::string root_;
  config::v1::DaemonConfig config_;
  std::function<void(Backends&)> add_backends_;
  std::unique_ptr<App> app_;
  FakeAgent* simulated_ = nullptr;  // Belongs to the application.
};

}  // namespace vcd

#endif  // VCD_TEST_HARNESS_TEST_DAEMON_H_
