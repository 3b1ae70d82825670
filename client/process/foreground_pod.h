// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_PROCESS_FOREGROUND_POD_H_
#define VCD_CLIENT_PROCESS_FOREGROUND_POD_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/daemon/daemon_client.h"
#include "client/invocation.h"
#include "client/posix/signals.h"
#include "client/process/detach_keys.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {

// A pod that is made for one command and, if wanted, deleted after it. One thread.
class ForegroundPod {
 public:
  struct Options {
    v1::PodConfig config;
    std::string container_id;  // Whose first process is the command.
    bool send_input = false;
    bool terminal = false;
    DetachKeys detach_keys;
    bool proxy_signals = true;
    bool remove = false;  // Delete the pod in the end.
  };

  ForegroundPod(Invocation* invocation, Options options);

  // Creates, starts and follows the pod, and deletes it on every way out. Blocks. Returns the exit status of `vc run`.
  int Run();

 private:
  // Creates the pod; true when it is there and to be started. Otherwise `exit_status_` says what to end with.
  bool Create();
  int Follow();
  void Remove();

  absl::Status Delete(CallCanceller* canceller);
  // Whether the pod of our id is the one that we asked for, and not another's that had the id before.
  bool IsOurs();
  const std::string& id() const { return options_.config.id(); }

  DaemonClient& daemon() { return *daemon_; }

  Invocation* const invocation_;
  Options options_;
  DaemonClient* daemon_ = nullptr;  // Since the signals are watched; before the first thread.
  std::unique_ptr<SignalSource> signals_;
  std::unique_ptr<SignalSource> window_;
  bool id_is_ours_ = false;  // We made the id up: nobody else has it.
  std::string token_;        // Marks the pod otherwise.
  bool may_exist_ = false;
  bool detached_ = false;  // The pod is to stay.
  int exit_status_ = 0;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_PROCESS_FOREGROUND_POD_H_
