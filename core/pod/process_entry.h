// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_PROCESS_ENTRY_H_
#define VCD_CORE_POD_PROCESS_ENTRY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/agent/agent.h"
#include "core/os/mutex.h"
#include "core/pod/container_log.h"
#include "core/pod/exec_output.h"
#include "core/pod/pod_runtime.h"

namespace vcd {

// A process of a pod as the daemon knows it: where its output goes, and how it ended. Shared by the pod and by those
// who read it or wait for it, who may outlive its place in the pod. Thread-safe.
class ProcessEntry : public std::enable_shared_from_this<ProcessEntry> {
 public:
  using ExitCallback = std::function<void(absl::StatusOr<v1::ExitStatus>)>;

  ProcessEntry(ProcessKey key, std::shared_ptr<ContainerLog> log) : key_(std::move(key)), log_(std::move(log)) {}
  ProcessEntry(ProcessKey key, std::shared_ptr<ExecOutput> output, bool terminal)
      : key_(std::move(key)), exec_(std::move(output)), terminal_(terminal) {}

  const ProcessKey& key() const { return key_; }
  // Null for an exec.
  const std::shared_ptr<ContainerLog>& log() const { return log_; }

  // Of an exec: its standard streams are a terminal.
  bool terminal() const { return terminal_; }

  // In the guest's own numbering; 0 until it is known.
  int32_t guest_pid() const { return guest_pid_.load(); }
  void set_guest_pid(int32_t pid) { guest_pid_.store(pid); }

  // The right to write to it: false when it is taken.
  bool TakeInput() { return !input_taken_.exchange(true); }
  bool input_taken() const { return input_taken_.load(); }
  void ReleaseInput() { input_taken_.store(false); }

  // Of a connection to a port: its caller is gone, so that nobody needs it once it has ended.
  bool abandoned() const { return abandoned_.load(); }
  void Abandon() { abandoned_.store(true); }

  // On the I/O thread.
  void Append(StdStream stream, uint64_t offset, std::string data) { source().Append(stream, offset, std::move(data)); }

  // It has ended, or is lost: readers end, waiters are called on this thread. Only the first call counts.
  void Finish(absl::StatusOr<v1::ExitStatus> end) ABSL_LOCKS_EXCLUDED(mu_);

  // How it ended; nothing while it runs.
  std::optional<absl::StatusOr<v1::ExitStatus>> end() const ABSL_LOCKS_EXCLUDED(mu_);

  std::unique_ptr<OutputReader> NewReader(OutputStart start);

  // See PodRuntime::Wait.
  std::unique_ptr<PodRuntime::WaitHandle> Wait(ExitCallback callback) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  class Waiter;
  struct WaiterState;

  OutputSource& source() { return log_ != nullptr ? static_cast<OutputSource&>(*log_) : *exec_; }

  const ProcessKey key_;
  const std::shared_ptr<ContainerLog> log_;
  const std::shared_ptr<ExecOutput> exec_;
  const bool terminal_ = false;
  std::atomic<int32_t> guest_pid_{0};
  std::atomic<bool> input_taken_{false};
  std::atomic<bool> abandoned_{false};

  mutable Mutex mu_;
  std::optional<absl::StatusOr<v1::ExitStatus>> end_ ABSL_GUARDED_BY(mu_);
  std::map<WaiterState*, std::shared_ptr<WaiterState>> waiters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_PROCESS_ENTRY_H_
