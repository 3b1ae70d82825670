// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_WRITE_STREAM_H_
#define VCD_DAEMON_SERVICE_WRITE_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/status.h"
#include "core/os/mutex.h"
#include "daemon/convert/status_mapping.h"
#include "daemon/service/call_log.h"

namespace vcd {

// A call that streams what some source gives, one message at a time: the next is asked for when gRPC has taken the one
// before, so a slow client holds one message here and no thread. Initial metadata goes out as soon as the stream
// stands, so that a client can know that nothing escapes it from then on. Deletes itself when gRPC is done with it.
template <typename Response>
class WriteStream : public grpc::ServerWriteReactor<Response> {
 public:
  void OnSendInitialMetadataDone(bool ok) final { Continue(ok); }
  void OnWriteDone(bool ok) final { Continue(ok); }
  void OnCancel() final { End(absl::CancelledError("the client has gone")); }

  void OnDone() final {
    // gRPC hands a reactor from thread to thread where ThreadSanitizer cannot see it; the lock shows it.
    { MutexLock lock(&mu_); }
    DropSource();
    delete this;
  }

 protected:
  explicit WriteStream(CallLog log) : log_(std::move(log)) { MutexLock lock(&mu_); }
  ~WriteStream() override = default;

  // Makes the source call Send or End, once, at any time and on any thread. Called again only after Send.
  virtual void AskNext() = 0;

  // Makes sure that the source calls no more; waits for a call that runs.
  virtual void DropSource() = 0;

  // Starts the stream, from the handler: with the source in place, or with why there is none.
  void Begin(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    if (!status.ok()) return End(status);
    MutexLock lock(&mu_);
    this->StartSendInitialMetadata();
  }

  void Send(Response response) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (ended_) return;
    response_ = std::move(response);
    this->StartWrite(&response_);
  }

  // Only the first counts.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (std::exchange(ended_, true)) return;
    log_.Ended(status);
    this->Finish(ToGrpcStatus(status));
  }

 private:
  void Continue(bool ok) ABSL_LOCKS_EXCLUDED(mu_) {
    if (!ok) return End(absl::CancelledError("the client has gone"));
    {
      MutexLock lock(&mu_);
      if (ended_) return;
    }
    AskNext();
    // As in OnDone, which comes after this.
    { MutexLock lock(&mu_); }
  }

  const CallLog log_;
  Mutex mu_;
  Response response_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_WRITE_STREAM_H_
