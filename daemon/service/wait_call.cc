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

class WaitCall final : public grpc::ServerUnaryReactor {
 public:
  WaitCall(PodRuntime& runtime, const v1::WaitRequest& request, v1::WaitResponse& response)
      : log_("Wait", CallKind::kRead, request.pod_id()), response_(response) {
    const absl::Status status = CheckProcessIds(request.pod_id(), request.container_id(), request.process_id());
    if (!status.ok()) {
      End(status);
      return;
    }
    // gRPC is not done with a reactor that it has not been given yet, so OnDone cannot come before this is stored.
    auto handle = runtime.Wait(request.pod_id(), ProcessKey{request.container_id(), request.process_id()},
                               [this](absl::StatusOr<v1::ExitStatus> exit) { End(std::move(exit)); });
    MutexLock lock(&mu_);
    handle_ = std::move(handle);
  }

  void OnCancel() override { End(absl::CancelledError("the client has gone")); }

  void OnDone() override {
    std::unique_ptr<PodRuntime::WaitHandle> handle;
    {
      MutexLock lock(&mu_);
      handle = std::move(handle_);
    }
    // Outside the lock: waits for the callback, which takes it.
    handle.reset();
    delete this;
  }

 private:
  // Only the first counts.
  void End(absl::StatusOr<v1::ExitStatus> exit) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (std::exchange(ended_, true)) return;
    if (exit.ok()) *response_.mutable_exit_status() = *exit;
    log_.Ended(exit.status());
    Finish(ToGrpcStatus(exit.status()));
  }

  const CallLog log_;
  Mutex mu_;
  v1::WaitResponse& response_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<PodRuntime::WaitHandle> handle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

grpc::ServerUnaryReactor* StartWaitCall(PodRuntime& runtime, const v1::WaitRequest& request,
                                        v1::WaitResponse& response) {
  return new WaitCall(runtime, request, response);
}

}  // namespace vcd
