// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_PROCESS_CALL_H_
#define VCD_DAEMON_SERVICE_PROCESS_CALL_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "core/os/mutex.h"
#include "core/pod/pod_runtime.h"
#include "daemon/convert/status_mapping.h"
#include "daemon/service/call_log.h"

namespace vcd {

// A call that is a process of the guest, in whichever direction bytes go: it begins with the process, reads what that
// puts out, and ends with it; a client that goes ends the process. `Reactor` is gRPC's; `Process` says what is started,
// and what its end means (CopyProcess, DialProcess). Belongs to itself, from Own until gRPC is done with it.
//
// Callbacks of the reader and of the wait do not run any more once those are destroyed, which is before the call is;
// all others may, so they hold the call. Its mutex is never held while calling the runtime.
template <typename Reactor, typename Process>
class ProcessCall : public Reactor, public std::enable_shared_from_this<ProcessCall<Reactor, Process>> {
 public:
  // When a process must have been started for a call.
  static absl::Time StartDeadline(const grpc::CallbackServerContext& context) {
    return std::min(absl::FromChrono(context.deadline()), absl::Now() + absl::Seconds(60));
  }

  void OnCancel() final { End(absl::CancelledError("the client has gone")); }

  void OnDone() final {
    std::shared_ptr<ProcessCall> self;
    std::unique_ptr<OutputReader> reader;
    std::unique_ptr<PodRuntime::WaitHandle> wait;
    bool started;
    {
      MutexLock lock(&mu_);
      done_ = true;
      self = std::move(self_);
      reader = std::move(reader_);
      wait = std::move(wait_);
      started = started_;
    }
    reader.reset();
    wait.reset();
    if (started) process_->End();
  }

 protected:
  explicit ProcessCall(PodRuntime& runtime) : runtime_(runtime) {}

  void Own() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    self_ = this->shared_from_this();
  }

  // Says what the call is about, before all that follows. `method` is a literal; `of` are what Process is made of
  // beside runtime and pod.
  template <typename... Of>
  void SetProcess(const char* method, CallKind kind, const std::string& pod_id, const Of&... of)
      ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    log_.emplace(method, kind, pod_id);
    process_.emplace(runtime_, pod_id, of...);
  }

  template <typename Spec>
  void StartProcess(Spec spec, absl::Time deadline) {
    process_->Start(std::move(spec), deadline,
                    [self = this->shared_from_this()](absl::StatusOr<std::unique_ptr<OutputReader>> reader) {
                      self->OnStarted(std::move(reader));
                    });
  }

  // The process is there; OK, or why the call is over.
  virtual absl::Status Prepare() { return absl::OkStatus(); }
  // Asks gRPC for the first things, of which one must be that the initial metadata is sent: reading begins then, on a
  // thread of gRPC's, which is not done with the call, nor the reader destroyed, before it returns.
  virtual void Go() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { this->StartSendInitialMetadata(); }

  OutputReader* reader() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return reader_.get();
  }

  // All output was read: the call ends as the process has.
  void AwaitExit() ABSL_LOCKS_EXCLUDED(mu_) {
    std::unique_ptr<PodRuntime::WaitHandle> handle =
        runtime_.Wait(process_->pod_id(), process_->key(),
                      [this](const absl::StatusOr<v1::ExitStatus>& exit) { End(process_->StatusOf(exit)); });
    MutexLock lock(&mu_);
    if (!done_) wait_.swap(handle);
  }

  // Only the first counts.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (std::exchange(ended_, true)) return;
    if (log_.has_value()) log_->Ended(status);
    this->Finish(ToGrpcStatus(status));
  }

  // gRPC hands a reactor from thread to thread where ThreadSanitizer cannot see it; the lock shows it to OnDone's.
  void ShowToOnDone() ABSL_LOCKS_EXCLUDED(mu_) { MutexLock lock(&mu_); }

  bool named() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return process_.has_value(); }
  bool ended() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return ended_; }
  Process& process() { return *process_; }
  PodRuntime& runtime() { return runtime_; }

  Mutex mu_;

 private:
  void OnStarted(absl::StatusOr<std::unique_ptr<OutputReader>> reader) ABSL_LOCKS_EXCLUDED(mu_) {
    if (!reader.ok()) {
      process_->End();
      return End(reader.status());
    }
    if (const absl::Status ready = Prepare(); !ready.ok()) End(ready);
    bool gone;
    {
      MutexLock lock(&mu_);
      gone = done_;
      started_ = true;
      if (!gone) reader_ = *std::move(reader);
      if (!ended_) Go();
    }
    if (gone) process_->End();
  }

  PodRuntime& runtime_;
  // Set once, before the process is started.
  std::optional<CallLog> log_;
  std::optional<Process> process_;
  std::shared_ptr<ProcessCall> self_ ABSL_GUARDED_BY(mu_);  // Until gRPC is done.
  std::unique_ptr<OutputReader> reader_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<PodRuntime::WaitHandle> wait_ ABSL_GUARDED_BY(mu_);
  bool started_ ABSL_GUARDED_BY(mu_) = false;  // There is a process.
  bool ended_ ABSL_GUARDED_BY(mu_) = false;    // Finish was called.
  bool done_ ABSL_GUARDED_BY(mu_) = false;     // gRPC is done.
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_PROCESS_CALL_H_
