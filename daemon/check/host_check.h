// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_HOST_CHECK_H_
#define VCD_DAEMON_CHECK_HOST_CHECK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/os/mutex.h"
#include "core/os/worker_pool.h"
#include "daemon/check/host.h"
#include "daemon/check/program_answers.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd {

// Looks at everything once. `serving`: this process is the daemon. `config` has its defaults filled in. Takes up to
// seven seconds where KVM and QEMU hang, and usually a quarter of one.
v1::CheckResponse CheckHost(const Host& host, const config::v1::DaemonConfig& config, bool serving,
                            ProgramAnswers& answers);

// Whether nothing found keeps pods from running.
bool CanRunPods(const v1::CheckResponse& response);

// For people: a line for each result, with its remedy below when there is one.
std::string CheckText(const v1::CheckResponse& response);

// SystemService.Check: one look at a time however many ask, on one thread of the pool. Who asks while one is under way
// gets the result of the next, so nobody is told what was seen before they asked. Thread-safe.
class HostCheck {
 public:
  using Callback = std::function<void(const v1::CheckResponse&)>;

  // `pool` outlives what was asked: its destructor waits for that, and it is destroyed before this.
  HostCheck(std::unique_ptr<Host> host, config::v1::DaemonConfig config, WorkerPool& pool);

  // Calls back once, on a thread of the pool.
  void Run(Callback done) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void RunOnce() ABSL_LOCKS_EXCLUDED(mu_);

  const std::unique_ptr<Host> host_;
  const config::v1::DaemonConfig config_;
  WorkerPool& pool_;
  ProgramAnswers answers_;  // Of the one look under way.
  Mutex mu_;
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Callback> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_HOST_CHECK_H_
