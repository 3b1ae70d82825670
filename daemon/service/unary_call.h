// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_UNARY_CALL_H_
#define VCD_DAEMON_SERVICE_UNARY_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/service/call_log.h"

namespace vcd {

// When a call about pods has to end: the client's deadline, and never later than ten minutes from now.
absl::Time DeadlineOf(const grpc::CallbackServerContext& context);

// A unary call under way, to be finished once, on any thread. Cheap to copy into the callback that finishes it; the
// response that the handler was given may be written until then. A client that goes away changes nothing: what it asked
// for runs on to its end or its undo.
class UnaryCall {
 public:
  // On the thread that runs the handler.
  UnaryCall(grpc::CallbackServerContext* context, const char* method, CallKind kind, const std::string& pod_id);

  // What the handler returns.
  grpc::ServerUnaryReactor* reactor() const { return reactor_; }

  absl::Time deadline() const { return deadline_; }

  // Sends the answer and writes the log line.
  void Finish(const absl::Status& status) const;

  // Finish, for handlers that have nothing more to do.
  grpc::ServerUnaryReactor* FinishNow(const absl::Status& status) const;

 private:
  grpc::ServerUnaryReactor* reactor_;
  absl::Time deadline_;
  CallLog log_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_UNARY_CALL_H_
