// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/port_forward_call.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "daemon/service/dial_process.h"
#include "daemon/service/input_call.h"
#include "daemon/service/request_check.h"

namespace vcd {
namespace {

// Of one message of a client's.
constexpr size_t kMaxData = size_t{1} << 20;
constexpr uint32_t kMaxPort = 65535;

absl::Status CheckStart(const v1::PortForwardRequest& request) {
  if (!request.has_start()) return InvalidField("start", "is missing: the first message must say which port");
  const v1::PortForwardRequest::Start& start = request.start();
  if (const absl::Status status = CheckId("start.pod_id", start.pod_id()); !status.ok()) return status;
  if (start.port() >= 1 && start.port() <= kMaxPort) return absl::OkStatus();
  return InvalidField("start.port", absl::StrCat("is ", start.port(), "; ports are 1 … 65535"));
}

// Two pumps. Output: `connected` written → reader's Next → write → Next → … → its end → the process's, which is the
// call's; `closed` comes between as soon as all before it was written. Input: InputCall's.
class PortForwardCall final : public InputCall<grpc::ServerBidiReactor<v1::PortForwardRequest, v1::PortForwardResponse>,
                                               DialProcess, v1::PortForwardRequest> {
 public:
  static PortForwardCall* Start(PodRuntime& runtime, absl::Time deadline) {
    auto call = std::make_shared<PortForwardCall>(runtime, deadline);
    call->Own();
    call->ReadFirst();
    return call.get();
  }

  PortForwardCall(PodRuntime& runtime, absl::Time deadline) : InputCall(runtime), deadline_(deadline) {}

  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the client has gone"));
    if (!TellClosed()) {
      reader()->Next([this](absl::StatusOr<std::optional<OutputChunk>> chunk) { OnOutput(std::move(chunk)); });
    }
    ShowToOnDone();
  }

 private:
  void Begin(const v1::PortForwardRequest& request) override {
    SetProcess("PortForward", CallKind::kRead, request.start().pod_id());
    if (const absl::Status status = CheckStart(request); !status.ok()) return End(status);
    StartProcess(GuestDial{request.start().address(), static_cast<uint16_t>(request.start().port())}, deadline_);
  }

  void Feed(v1::PortForwardRequest request) override {
    switch (request.request_case()) {
      case v1::PortForwardRequest::kData:
        if (request.data().size() > kMaxData) return End(InvalidField("data", "is larger than 1 MiB"));
        return WriteInput(std::move(*request.mutable_data()), /*close=*/false);
      case v1::PortForwardRequest::kClose:
        return WriteInput("", request.close());
      case v1::PortForwardRequest::kStart:
        return End(InvalidField("start", "came again: it belongs into the first message only"));
      case v1::PortForwardRequest::REQUEST_NOT_SET:
        return End(InvalidField("request", "is empty: send `data` or `close`"));
    }
  }

  void Go() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    InputCall::Go();
    response_.set_connected(true);
    StartWrite(&response_);
  }

  // The output pump's: says so once, when there is nothing left to write before it. The lock also shows what OnOutput
  // noted, as ShowToOnDone does.
  bool TellClosed() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (closed_ || !process().peer_ended()) return false;
    closed_ = true;
    if (ended()) return true;
    response_.set_closed(true);
    StartWrite(&response_);
    return true;
  }

  void OnOutput(absl::StatusOr<std::optional<OutputChunk>> chunk) {
    if (!chunk.ok()) return End(chunk.status());
    if (!chunk->has_value()) return AwaitExit();
    OutputChunk& output = **chunk;
    process().Note(output);
    MutexLock lock(&mu_);
    if (ended()) return;
    if (output.stream == StdStream::kStdout) {
      response_.set_data(std::move(output.data));
    } else {
      response_.set_data("");  // So that also what the guest says beside the bytes goes at the client's pace.
    }
    StartWrite(&response_);
  }

  const absl::Time deadline_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  v1::PortForwardResponse response_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

grpc::ServerBidiReactor<v1::PortForwardRequest, v1::PortForwardResponse>* StartPortForwardCall(
    PodRuntime& runtime, grpc::CallbackServerContext* context) {
  return PortForwardCall::Start(runtime, PortForwardCall::StartDeadline(*context));
}

}  // namespace vcd
