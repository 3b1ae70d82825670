// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/rpc_interceptor.h"

#include <chrono>

#include "core/os/mutex.h"

namespace vcd {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

// One call, from its arrival until gRPC has forgotten it.
class MeteredCall final : public Interceptor {
 public:
  explicit MeteredCall(RpcMetrics::Method& method) : method_(method) {
    // gRPC hands a call from thread to thread where ThreadSanitizer cannot see it; the lock shows it.
    MutexLock lock(&mu_);
    began_ = std::chrono::steady_clock::now();
    method_.Begin();
  }

  ~MeteredCall() override {
    Answered(absl::StatusCode::kCancelled);
    MutexLock lock(&mu_);
    method_.End();
  }

  void Intercept(InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      Answered(static_cast<absl::StatusCode>(batch->GetSendStatus().error_code()));
    }
    batch->Proceed();
  }

 private:
  // Only the first counts.
  void Answered(absl::StatusCode code) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (answered_) return;
    answered_ = true;
    method_.Answered(code, absl::FromChrono(std::chrono::steady_clock::now() - began_));
  }

  Mutex mu_;
  RpcMetrics::Method& method_;
  std::chrono::steady_clock::time_point began_ ABSL_GUARDED_BY(mu_);
  bool answered_ ABSL_GUARDED_BY(mu_) = false;
};

class MeteredCallFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit MeteredCallFactory(RpcMetrics& metrics) : metrics_(metrics) {}

  // The server owns what it is given.
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new MeteredCall(metrics_.Find(info->method()));
  }

 private:
  RpcMetrics& metrics_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MeterRpcs(RpcMetrics& metrics) {
  return std::make_unique<MeteredCallFactory>(metrics);
}

}  // namespace vcd
