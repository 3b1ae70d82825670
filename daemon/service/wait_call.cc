// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/wait_call.h"

#include <memory>
#include <utility>

#include "core/os/mutex.h"
#include "daemon/convert/status_mapping.h"
#include "daemon/service/call_log.h"
#include "daemon/service/request_check.h"

namespace vcd {
namespace {

// The wait promises not to call any more once it is destroyed; who waits for the recovery of the pod does not, so it
// holds the call itself. mu_ is never held while calling the runtime, whose callbacks may run at once and take it.
class WaitCall final : public grpc::ServerUnaryReactor {
 public:
  static WaitCall* Start(PodRuntime& runtime, const v1::WaitRequest& request, v1::WaitResponse& response,
                         absl::Time known_by) {
    auto call = std::make_shared<WaitCall>(runtime, request, response);
    {
      MutexLock lock(&call->mu_);
      call->self_ = call;
    }
    const absl::Status status = CheckProcessIds(request.pod_id(), request.container_id(), request.process_id());
    if (!status.ok()) {
      call->End(status);
    } else {
      runtime.AwaitRecovery(request.pod_id(), known_by, [call](const absl::Status& known) { call->Begin(known); });
    }
    // gRPC is not done with a reactor that it has not been given yet.
    return call.get();
  }

  WaitCall(PodRuntime& runtime, const v1::WaitRequest& request, v1::WaitResponse& response)
      : runtime_(runtime),
        process_{request.container_id(), request.process_id()},
        log_("Wait", CallKind::kRead, request.pod_id()),
        response_(response) {}

  void OnCancel() override { End(absl::CancelledError("the client has gone")); }

  void OnDone() override {
    std::shared_ptr<WaitCall> self;
    std::unique_ptr<PodRuntime::WaitHandle> handle;
    {
      MutexLock lock(&mu_);
      done_ = true;
      self = std::move(self_);
      handle = std::move(handle_);
    }
    // Outside the lock: waits for the callback, which takes it.
    handle.reset();
  }

 private:
  // On a thread that holds the call.
  void Begin(const absl::Status& known) ABSL_LOCKS_EXCLUDED(mu_) {
    if (!known.ok()) return End(known);
    std::unique_ptr<PodRuntime::WaitHandle> handle =
        runtime_.Wait(log_.pod_id(), process_, [this](absl::StatusOr<v1::ExitStatus> exit) { End(std::move(exit)); });
    MutexLock lock(&mu_);
    // Too late when the client has gone meanwhile: the handle goes when this returns.
    if (!done_) handle_.swap(handle);
  }

  // Only the first counts.
  void End(absl::StatusOr<v1::ExitStatus> exit) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (std::exchange(ended_, true)) return;
    if (exit.ok()) *response_.mutable_exit_status() = *exit;
    log_.Ended(exit.status());
    Finish(ToGrpcStatus(exit.status()));
  }

  PodRuntime& runtime_;
  const ProcessKey process_;
  const CallLog log_;
  Mutex mu_;
  std::shared_ptr<WaitCall> self_ ABSL_GUARDED_BY(mu_);  // Until gRPC is done.
  v1::WaitResponse& response_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;  // Finish was called.
  bool done_ ABSL_GUARDED_BY(mu_) = false;   // gRPC is done.
  std::unique_ptr<PodRuntime::WaitHandle> handle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

grpc::ServerUnaryReactor* StartWaitCall(PodRuntime& runtime, const v1::WaitRequest& request, v1::WaitResponse& response,
                                        absl::Time known_by) {
  return WaitCall::Start(runtime, request, response, known_by);
}

}  // namespace vcd
