// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_SUPERVISED_PROCESS_H_
#define VCD_CORE_OS_SUPERVISED_PROCESS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/os/cancellation.h"
#include "core/os/io_thread.h"
#include "core/os/process.h"

namespace vcd {

// A process that is watched through its pidfd: one that we started, or one that an earlier daemon did. Destroying it
// lets the process run on; it only ends the watching. Thread-safe.
class SupervisedProcess {
 public:
  // Watches a child that was just started; it is reaped when it ends.
  static std::unique_ptr<SupervisedProcess> Watch(IoThread& io, LaunchedProcess process);

  // Watches a process of before. kNotFound when it has ended.
  static absl::StatusOr<std::unique_ptr<SupervisedProcess>> Adopt(IoThread& io, const ProcessIdentity& identity);

  // May block until a running exit callback has returned; not to be destroyed from that callback.
  ~SupervisedProcess();

  const ProcessIdentity& identity() const;

  bool exited() const;

  // How it ended, for people: "exited with status 1", "killed by signal 9 (Killed)", or "ended" for one that was not our
  // child. Empty while it runs.
  std::string exit_description() const;

  // Runs `callback` on the I/O thread once it has ended, also when that was before. One callback.
  void OnExit(std::function<void(const std::string& description)> callback);

  // Sends a signal; OK when it has ended already.
  absl::Status Signal(int signal);

  // Blocks until it has ended. Not on the I/O thread.
  absl::Status WaitExit(const CallContext& context);

  // SIGTERM, after `grace` SIGKILL, and waits for the end. The SIGKILL ignores the context's cancellation: this is
  // cleaning up. kInternal when even that does not end it within ten seconds.
  absl::Status Terminate(absl::Duration grace);

 private:
  class State;
  explicit SupervisedProcess(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_SUPERVISED_PROCESS_H_
