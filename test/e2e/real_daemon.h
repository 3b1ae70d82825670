// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_E2E_REAL_DAEMON_H_
#define VCD_TEST_E2E_REAL_DAEMON_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/os/process.h"
#include "grpcpp/channel.h"
#include "proto/vcd/v1/pod.pb.h"
#include "test/e2e/program.h"

namespace vcd {

// The real vcd as a process of its own, with the built guest image, directories of its own and a socket there. Failures
// of the harness are reported through gtest. One thread.
class RealDaemon {
 public:
  // Makes the directories; starts nothing. `flags` are added to vcd's command line.
  explicit RealDaemon(std::vector<std::string> flags = {});
  // Ends vcd and every process that its pods left, and removes the directories. That something was left is for
  // Leftovers() to tell, before.
  ~RealDaemon();
  RealDaemon(const RealDaemon&) = delete;
  RealDaemon& operator=(const RealDaemon&) = delete;

  // Starts vcd and returns when it serves, and knows what has become of the pods of the vcd before.
  void Start();
  // Sends SIGTERM and waits for the end; returns how long that took. Its exit status must be 0.
  absl::Duration Terminate();
  // SIGKILL, as a crash.
  void Kill();

  // Where all of it is: `<directory>/{state,run,vcd.sock,vcd.log}` and what tests put there.
  const std::string& directory() const { return directory_; }
  std::string state_dir() const { return directory_ + "/state"; }
  std::string run_dir() const { return directory_ + "/run"; }
  // Control group of the host that holds its pods'.
  std::string cgroup() const { return "/vcd-e2e" + directory_.substr(directory_.rfind('-')); }
  pid_t pid() const { return process_ ? process_->identity.pid : 0; }
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }
  // The log of every vcd so far.
  std::string log() const;

  // `vc` with these words, talking to this vcd.
  ProgramResult Vc(const std::vector<std::string>& words, const std::string& input = "");
  // Its command line, and its environment.
  std::vector<std::string> VcCommandLine(const std::vector<std::string>& words) const;
  std::vector<std::string> VcEnvironment() const;
  // The same, not waited for.
  std::unique_ptr<Program> StartVc(const std::vector<std::string>& words);

  // What GetPod says, by the gRPC API itself.
  v1::Pod GetPod(const std::string& pod_id);
  // The same, once the pod is in that state; one that never comes to it is a failure.
  v1::Pod AwaitState(const std::string& pod_id, v1::PodState state);

  // vcd's open descriptors by what they are, connections of clients left out.
  std::map<std::string, int> Descriptors() const;

  // Processes, sockets, mounts, files and records that should not be there when no pod is; empty when all is well.
  std::vector<std::string> Leftovers() const;

 private:
  std::string MetricsAddress() const { return "unix://" + directory_ + "/metrics.sock"; }
  std::vector<std::string> Processes() const;
  // Directories of control groups of pods.
  std::vector<std::string> Cgroups() const;

  std::string directory_;
  std::vector<std::string> flags_;
  std::optional<LaunchedProcess> process_;
  std::shared_ptr<grpc::Channel> channel_;
};

// Descriptors that are there now and were not before; empty when all is well.
std::vector<std::string> NewDescriptors(const std::map<std::string, int>& before,
                                        const std::map<std::string, int>& now);

}  // namespace vcd

#endif  // VCD_TEST_E2E_REAL_DAEMON_H_
