// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/attach_call.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "core/model/process_validation.h"
#include "core/os/mutex.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/convert/status_mapping.h"
#include "daemon/service/call_log.h"
#include "daemon/service/request_check.h"

namespace vcd {
namespace {

// How long a guest may take to resize a terminal, and hold up input with it.
constexpr absl::Duration kResizeCeiling = absl::Seconds(10);

// First the process is to be known, which it is at once unless the daemon has just started. Then two pumps share the
// call. Output: `attached` written → reader's Next → write → Next → … → its end → Wait → exit
// status, written as the last. Input: read → the writer's Write → its `done` → read → …; it ends with the client's
// half-close, which leaves standard input open: only `close_stdin` closes it. Who says so in the first message is the
// process's writer from then on, others from their first input.
//
// The reader and the wait promise not to call any more once they are destroyed; the `done` of input and of the recovery
// do not, so they hold the call itself. mu_ is never held while calling the runtime, whose callbacks may run at once
// and take it.
class AttachCall final : public grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse> {
 public:
  static AttachCall* Start(PodRuntime& runtime, absl::Time known_by) {
    auto call = std::make_shared<AttachCall>(runtime, known_by);
    MutexLock lock(&call->mu_);
    call->self_ = call;
    call->StartRead(&call->request_);
    return call.get();
  }

  AttachCall(PodRuntime& runtime, absl::Time known_by) : runtime_(runtime), known_by_(known_by) {}

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_) {
    v1::AttachRequest request;
    bool first = false;
    {
      MutexLock lock(&mu_);
      if (ended_) return;
      first = !log_.has_value();
      if (!ok) {
        if (first) EndLocked(InvalidField("start", "is missing: the first message must say which process"));
        return;
      }
      request = std::move(request_);
    }
    if (first) {
      Join(request);
    } else {
      Feed(std::move(request));
    }
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_) {
    {
      MutexLock lock(&mu_);
      if (ended_) return;
      if (!ok) return EndLocked(absl::CancelledError("the client has gone"));
    }
    // gRPC calls OnDone only after this has returned, so the reader stays.
    reader_->Next([this](absl::StatusOr<std::optional<OutputChunk>> chunk) { OnOutput(std::move(chunk)); });
    // gRPC hands a reactor from thread to thread where ThreadSanitizer cannot see it; the lock shows it to OnDone's.
    { MutexLock lock(&mu_); }
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    EndLocked(absl::CancelledError("the client has gone"));
  }

  void OnDone() override ABSL_LOCKS_EXCLUDED(mu_) {
    std::shared_ptr<AttachCall> self;
    std::unique_ptr<PodRuntime::WaitHandle> wait;
    {
      MutexLock lock(&mu_);
      done_ = true;
      self = std::move(self_);
      wait = std::move(wait_);
    }
    // Outside the lock: both wait for a callback that runs, which takes it.
    reader_.reset();
    wait.reset();
    // Also for those whose `done` still holds the call.
    writer_.reset();
  }

 private:
  // The first message.
  void Join(const v1::AttachRequest& request) ABSL_LOCKS_EXCLUDED(mu_) {
    const v1::AttachRequest::Start& start = request.start();
    pod_id_ = start.pod_id();
    process_ = ProcessKey{start.container_id(), start.process_id()};
    absl::Status status = request.has_start()
                              ? CheckProcessIds(start.pod_id(), start.container_id(), start.process_id())
                              : InvalidField("start", "is missing: the first message must say which process");
    if (status.ok() && start.has_terminal_size())
      status = CheckTerminalSize("start.terminal_size", start.terminal_size());
    std::shared_ptr<AttachCall> self;
    {
      MutexLock lock(&mu_);
      log_.emplace("Attach", CallKind::kRead, pod_id_);
      if (!status.ok()) return EndLocked(status);
      self = self_;
    }
    runtime_.AwaitRecovery(pod_id_, known_by_, [self, start](const absl::Status& known) { self->Begin(start, known); });
  }

  // The process is known, or will not be. gRPC may be done by now, or be so at any time until the first write.
  void Begin(const v1::AttachRequest::Start& start, absl::Status status) ABSL_LOCKS_EXCLUDED(mu_) {
    std::unique_ptr<OutputReader> reader;
    std::unique_ptr<InputWriter> writer;
    if (status.ok()) status = Take(start, &reader, &writer);
    const bool writes = writer != nullptr;
    {
      MutexLock lock(&mu_);
      if (!status.ok()) return EndLocked(status);
      if (ended_) return;
      reader_ = std::move(reader);
      writer_ = std::move(writer);
      response_.set_attached(true);
      StartWrite(&response_);
    }
    if (start.has_terminal_size()) {
      Resize(start.terminal_size(), writes);
    } else {
      OnInputTaken(absl::OkStatus());
    }
  }

  absl::Status Take(const v1::AttachRequest::Start& start, std::unique_ptr<OutputReader>* reader,
                    std::unique_ptr<InputWriter>* writer) {
    VCD_ASSIGN_OR_RETURN(
        *reader, runtime_.Attach(pod_id_, process_, start.from_start() ? OutputStart::kBeginning : OutputStart::kNow));
    if (!start.stdin()) return absl::OkStatus();
    VCD_ASSIGN_OR_RETURN(*writer, runtime_.OpenInput(pod_id_, process_));
    return absl::OkStatus();
  }

  // The reading pump's, as writer_ is.
  absl::Status BecomeWriter() {
    if (writer_ != nullptr) return absl::OkStatus();
    auto writer = runtime_.OpenInput(pod_id_, process_);
    if (writer.ok()) writer_ = *std::move(writer);
    return writer.status();
  }

  // Every further message.
  void Feed(v1::AttachRequest request) ABSL_LOCKS_EXCLUDED(mu_) {
    switch (request.request_case()) {
      case v1::AttachRequest::kStdin:
        return WriteInput(std::move(*request.mutable_stdin()), /*close=*/false);
      case v1::AttachRequest::kCloseStdin:
        if (request.close_stdin()) return WriteInput("", /*close=*/true);
        return OnInputTaken(absl::OkStatus());
      case v1::AttachRequest::kResize: {
        const absl::Status status = CheckTerminalSize("resize", request.resize());
        if (status.ok()) return Resize(request.resize(), writer_ != nullptr);
        MutexLock lock(&mu_);
        return EndLocked(status);
      }
      case v1::AttachRequest::kStart: {
        MutexLock lock(&mu_);
        return EndLocked(InvalidField("start", "came again: it belongs into the first message only"));
      }
      case v1::AttachRequest::REQUEST_NOT_SET: {
        MutexLock lock(&mu_);
        return EndLocked(InvalidField("request", "is empty: send `stdin`, `close_stdin` or `resize`"));
      }
    }
  }

  void WriteInput(std::string data, bool close) ABSL_LOCKS_EXCLUDED(mu_) {
    std::shared_ptr<AttachCall> self;
    {
      MutexLock lock(&mu_);
      self = self_;
    }
    if (data.empty() && !close) return OnInputTaken(absl::OkStatus());
    if (const absl::Status status = BecomeWriter(); !status.ok()) {
      // One that is gone takes nothing, and its exit status is to come.
      if (absl::IsNotFound(status)) return OnInputTaken(status);
      MutexLock lock(&mu_);
      return EndLocked(status);
    }
    writer_->Write(std::move(data), close, [self](absl::Status status) { self->OnInputTaken(status); });
  }

  // Of several clients' terminals the writer's counts, or any when nobody writes.
  void Resize(const v1::TerminalSize& size, bool writes) ABSL_LOCKS_EXCLUDED(mu_) {
    std::shared_ptr<AttachCall> self;
    {
      MutexLock lock(&mu_);
      self = self_;
    }
    if (self == nullptr) return;
    if (!writes && runtime_.HasWriter(pod_id_, process_)) return OnInputTaken(absl::OkStatus());
    // That it cannot be done is no error here: a client tells its size unasked, and who has no terminal cannot use it.
    runtime_.ResizeTerminal(pod_id_, process_, size, {absl::Now() + kResizeCeiling, ""},
                            [self](const absl::Status&) { self->OnInputTaken(absl::OkStatus()); });
  }

  void OnInputTaken(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (ended_) return;
    // As a shell does with a program that has stopped reading: what is typed goes nowhere, and the exit status is to
    // come.
    const bool goes_on = status.ok() || absl::IsFailedPrecondition(status) || absl::IsNotFound(status);
    if (!goes_on) return EndLocked(status);
    StartRead(&request_);
  }

  void OnOutput(absl::StatusOr<std::optional<OutputChunk>> chunk) ABSL_LOCKS_EXCLUDED(mu_) {
    if (chunk.ok() && !chunk->has_value()) return AwaitExit();
    MutexLock lock(&mu_);
    if (!chunk.ok()) return EndLocked(chunk.status());
    if (ended_) return;
    OutputChunk& output = **chunk;
    if (output.stream == StdStream::kStdout) {
      response_.set_stdout(std::move(output.data));
    } else {
      response_.set_stderr(std::move(output.data));
    }
    StartWrite(&response_);
  }

  // After the last output; on a thread of the reader, which is destroyed only when this has returned.
  void AwaitExit() ABSL_LOCKS_EXCLUDED(mu_) {
    std::unique_ptr<PodRuntime::WaitHandle> handle =
        runtime_.Wait(pod_id_, process_, [this](absl::StatusOr<v1::ExitStatus> exit) { OnExit(std::move(exit)); });
    MutexLock lock(&mu_);
    // Too late when the call has ended meanwhile: the handle goes when this returns.
    if (!done_) wait_.swap(handle);
  }

  void OnExit(absl::StatusOr<v1::ExitStatus> exit) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (ended_) return;
    if (!exit.ok()) return EndLocked(exit.status());
    ended_ = true;
    log_->Ended(absl::OkStatus());
    *response_.mutable_exit_status() = *exit;
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  }

  // Only the first counts.
  void EndLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(ended_, true)) return;
    if (!log_.has_value()) log_.emplace("Attach", CallKind::kRead, "");
    log_->Ended(status);
    Finish(ToGrpcStatus(status));
  }

  PodRuntime& runtime_;
  const absl::Time known_by_;
  // Set by the first message, before anything that uses them begins.
  std::string pod_id_;
  ProcessKey process_;
  std::unique_ptr<OutputReader> reader_;
  // The reading pump's, until gRPC is done.
  std::unique_ptr<InputWriter> writer_;

  Mutex mu_;
  std::shared_ptr<AttachCall> self_ ABSL_GUARDED_BY(mu_);  // Until gRPC is done.
  std::optional<CallLog> log_ ABSL_GUARDED_BY(mu_);        // Set by the first message.
  std::unique_ptr<PodRuntime::WaitHandle> wait_ ABSL_GUARDED_BY(mu_);
  v1::AttachRequest request_ ABSL_GUARDED_BY(mu_);
  v1::AttachResponse response_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;  // Finish was called.
  bool done_ ABSL_GUARDED_BY(mu_) = false;   // gRPC is done.
};

}  // namespace

grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* StartAttachCall(PodRuntime& runtime,
                                                                                absl::Time known_by) {
  return AttachCall::Start(runtime, known_by);
}

}  // namespace vcd
