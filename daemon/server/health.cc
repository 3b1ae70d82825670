// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/health.h"

#include <optional>
#include <utility>

namespace vcd {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

HealthCheckResponse::ServingStatus StatusOf(bool serving) {
  return serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace

// One watching client. Sends the newest status that it has not sent; those in between may be skipped.
class HealthService::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthService& service, HealthCheckResponse::ServingStatus status) : service_(service) { Tell(status); }

  void Tell(HealthCheckResponse::ServingStatus status) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    next_ = status;
    SendNext();
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    writing_ = false;
    if (ok) SendNext();
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (std::exchange(finished_, true)) return;
    Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the watch has ended"));
  }

  void OnDone() override ABSL_LOCKS_EXCLUDED(mu_) {
    service_.Forget(this);
    // gRPC hands a reactor from thread to thread where ThreadSanitizer cannot see it; the lock shows it.
    { MutexLock lock(&mu_); }
    delete this;
  }

 private:
  void SendNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || finished_ || !next_.has_value() || next_ == sent_) return;
    sent_ = std::exchange(next_, std::nullopt);
    response_.set_status(*sent_);
    writing_ = true;
    StartWrite(&response_);
  }

  HealthService& service_;
  Mutex mu_;
  std::optional<HealthCheckResponse::ServingStatus> next_ ABSL_GUARDED_BY(mu_);
  std::optional<HealthCheckResponse::ServingStatus> sent_ ABSL_GUARDED_BY(mu_);
  HealthCheckResponse response_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

HealthService::HealthService(std::set<std::string> services) : services_(std::move(services)) {}

void HealthService::SetServing(bool serving) {
  MutexLock lock(&mu_);
  serving_ = serving;
  for (Watcher* watcher : watchers_) watcher->Tell(StatusOf(serving));
}

void HealthService::Forget(Watcher* watcher) {
  MutexLock lock(&mu_);
  watchers_.erase(watcher);
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (!request->service().empty() && services_.count(request->service()) == 0) {
    reactor->Finish(grpc::Status(grpc::StatusCode::NOT_FOUND, "vcd has no service `" + request->service() + "`"));
    return reactor;
  }
  {
    MutexLock lock(&mu_);
    response->set_status(StatusOf(serving_));
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(grpc::CallbackServerContext*,
                                                                    const HealthCheckRequest* request) {
  // A service that is not known may become so (health.proto): the watch stays.
  const bool known = request->service().empty() || services_.count(request->service()) != 0;
  MutexLock lock(&mu_);
  auto* const watcher = new Watcher(*this, known ? StatusOf(serving_) : HealthCheckResponse::SERVICE_UNKNOWN);
  if (known) watchers_.insert(watcher);
  return watcher;
}

}  // namespace vcd
