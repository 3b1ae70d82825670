// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/archive_call.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"
#include "core/link/link_limits.h"
#include "core/os/mutex.h"
#include "core/status/error_detail.h"
#include "daemon/convert/status_mapping.h"
#include "daemon/service/call_log.h"
#include "daemon/service/request_check.h"

namespace vcd {
namespace {

// Of what the guest says on standard error.
constexpr size_t kMaxComplaint = 4096;

// Of one message of a client's.
constexpr size_t kMaxData = size_t{1} << 20;

absl::Status CheckPath(const char* field, const std::string& path) {
  if (path.empty()) return InvalidField(field, "is missing: say which file or directory");
  if (path[0] != '/') return InvalidField(field, absl::StrCat("`", path, "` is not absolute"));
  if (path.size() > 4095) return InvalidField(field, "is longer than 4095 bytes");
  if (absl::StrContains(path, '\0')) return InvalidField(field, "has a zero byte in it");
  return absl::OkStatus();
}

// What both directions share: the process in the guest, and how it ends. `lock` below is the call's mutex.
class CopyProcess {
 public:
  CopyProcess(PodRuntime& runtime, std::string pod_id, std::string container_id)
      : runtime_(runtime), pod_id_(std::move(pod_id)), key_{std::move(container_id), ""} {}

  // Starts it and attaches to its output; `done` runs once, with the reader.
  void Start(GuestArchive archive, absl::Time deadline,
             std::function<void(absl::StatusOr<std::unique_ptr<OutputReader>>)> done) {
    path_ = archive.path;
    step_ = archive.write ? "unpack below " : "pack ";
    runtime_.ExecArchive(pod_id_, key_.container_id, std::move(archive), {deadline, ""},
                         [this, done = std::move(done)](absl::StatusOr<ExecResult> started) {
                           if (!started.ok()) return done(started.status());
                           key_.process_id = started->process_id;
                           done(runtime_.Attach(pod_id_, key_, OutputStart::kBeginning));
                         });
  }

  void NoteComplaint(const std::string& text) {
    complaint_.append(text, 0, kMaxComplaint - std::min(kMaxComplaint, complaint_.size()));
  }

  // What its end means for the call.
  absl::Status StatusOf(const absl::StatusOr<v1::ExitStatus>& exit) {
    ended_ = true;
    if (!exit.ok()) return exit.status();
    if (exit->code() == 0) return absl::OkStatus();
    const std::string step = absl::StrCat(step_, path_);
    const ProcessKey container{key_.container_id, ""};
    if (exit->code() == kArchivePathNotFound) {
      return GuestErrorStatus(GuestError::kPathNotFound, container, step, complaint_);
    }
    if (exit->code() == kArchiveInvalid) {
      return GuestErrorStatus(GuestError::kInvalid, container, step, complaint_);
    }
    if (complaint_.empty()) complaint_ = absl::StrCat("it ended with code ", exit->code());
    return absl::FailedPreconditionError(
        absl::StrCat(DescribeProcess(container), ": ", step, ": ", CleanGuestText(complaint_)));
  }

  // The call has ended: so does the process, should it still run.
  void End() {
    if (ended_ || key_.process_id.empty()) return;
    runtime_.Signal(pod_id_, key_, SIGKILL, /*all=*/false, {absl::Now() + absl::Seconds(30), ""},
                    [](const absl::Status&) {});
  }

  const std::string& pod_id() const { return pod_id_; }
  const ProcessKey& key() const { return key_; }

 private:
  PodRuntime& runtime_;
  const std::string pod_id_;
  ProcessKey key_;
  std::string path_;
  const char* step_ = "";
  std::string complaint_;
  bool ended_ = false;
};

// A reader's or a wait's callbacks do not run any more once it is destroyed; those of ExecArchive and WriteInput may,
// so they hold the call itself. The call's mutex is never held while calling the runtime.
class ReadArchiveCall final : public grpc::ServerWriteReactor<v1::ReadArchiveResponse> {
 public:
  static ReadArchiveCall* Start(PodRuntime& runtime, absl::Time deadline, const v1::ReadArchiveRequest& request) {
    auto call = std::make_shared<ReadArchiveCall>(runtime, request);
    {
      MutexLock lock(&call->mu_);
      call->self_ = call;
    }
    absl::Status status = CheckContainerIds(request.pod_id(), request.container_id());
    if (status.ok()) status = CheckPath("path", request.path());
    if (!status.ok()) {
      call->End(status);
      return call.get();
    }
    GuestArchive archive;
    archive.path = request.path();
    archive.follow_symlink = request.follow_symlink();
    archive.stat_only = request.stat_only();
    call->process_.Start(std::move(archive), deadline, [call](absl::StatusOr<std::unique_ptr<OutputReader>> reader) {
      call->OnStarted(std::move(reader));
    });
    return call.get();
  }

  ReadArchiveCall(PodRuntime& runtime, const v1::ReadArchiveRequest& request)
      : runtime_(runtime),
        log_("ReadArchive", CallKind::kRead, request.pod_id()),
        process_(runtime, request.pod_id(), request.container_id()) {}

  void OnSendInitialMetadataDone(bool ok) override { OnWriteDone(ok); }
  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the client has gone"));
    Ask();
    // gRPC hands a reactor from thread to thread where ThreadSanitizer cannot see it; the lock shows it to OnDone's.
    { MutexLock lock(&mu_); }
  }
  void OnCancel() override { End(absl::CancelledError("the client has gone")); }

  void OnDone() override {
    std::shared_ptr<ReadArchiveCall> self;
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
    if (started) process_.End();
  }

 private:
  void OnStarted(absl::StatusOr<std::unique_ptr<OutputReader>> reader) {
    if (!reader.ok()) {
      process_.End();
      return End(reader.status());
    }
    bool gone;
    {
      MutexLock lock(&mu_);
      gone = done_;
      started_ = true;
      if (!gone) reader_ = *std::move(reader);
      // Reading begins on a thread of gRPC's, which is not done with the call, nor the reader destroyed, before it
      // returns.
      if (!ended_) StartSendInitialMetadata();
    }
    if (gone) process_.End();
  }

  void Ask() {
    OutputReader* reader;
    {
      MutexLock lock(&mu_);
      if (ended_) return;
      reader = reader_.get();
    }
    reader->Next([this](absl::StatusOr<std::optional<OutputChunk>> chunk) { OnOutput(std::move(chunk)); });
  }

  void OnOutput(absl::StatusOr<std::optional<OutputChunk>> chunk) {
    if (!chunk.ok()) return End(chunk.status());
    if (!chunk->has_value()) return AwaitExit();
    OutputChunk& output = **chunk;
    MutexLock lock(&mu_);
    if (ended_) return;
    response_.clear_data();
    if (output.stream == StdStream::kStdout) {
      response_.set_data(std::move(output.data));
    } else {
      process_.NoteComplaint(output.data);  // And an empty message, so that also this goes at the client's pace.
    }
    StartWrite(&response_);
  }

  void AwaitExit() {
    std::unique_ptr<PodRuntime::WaitHandle> handle = runtime_.Wait(
        process_.pod_id(), process_.key(), [this](absl::StatusOr<v1::ExitStatus> exit) { OnExit(std::move(exit)); });
    MutexLock lock(&mu_);
    if (!done_) wait_.swap(handle);
  }

  void OnExit(const absl::StatusOr<v1::ExitStatus>& exit) { End(process_.StatusOf(exit)); }

  // Only the first counts.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (std::exchange(ended_, true)) return;
    log_.Ended(status);
    Finish(ToGrpcStatus(status));
  }

  PodRuntime& runtime_;
  const CallLog log_;
  CopyProcess process_;

  Mutex mu_;
  std::shared_ptr<ReadArchiveCall> self_ ABSL_GUARDED_BY(mu_);  // Until gRPC is done.
  std::unique_ptr<OutputReader> reader_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<PodRuntime::WaitHandle> wait_ ABSL_GUARDED_BY(mu_);
  v1::ReadArchiveResponse response_ ABSL_GUARDED_BY(mu_);
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;  // Finish was called.
  bool done_ ABSL_GUARDED_BY(mu_) = false;   // gRPC is done.
};

// Two pumps: requests become input, one at a time; output is read for what the guest complains of, up to the process's
// end, which is the call's.
class WriteArchiveCall final : public grpc::ServerReadReactor<v1::WriteArchiveRequest> {
 public:
  static WriteArchiveCall* Start(PodRuntime& runtime, absl::Time deadline) {
    auto call = std::make_shared<WriteArchiveCall>(runtime, deadline);
    MutexLock lock(&call->mu_);
    call->self_ = call;
    call->StartRead(&call->request_);
    return call.get();
  }

  WriteArchiveCall(PodRuntime& runtime, absl::Time deadline) : runtime_(runtime), deadline_(deadline) {}

  void OnReadDone(bool ok) override {
    v1::WriteArchiveRequest request;
    bool first;
    {
      MutexLock lock(&mu_);
      if (ended_) return;
      first = !process_.has_value();
      request = std::move(request_);
    }
    if (first) return Begin(ok ? request : v1::WriteArchiveRequest());
    if (!ok) return WriteInput("", /*close=*/true);
    if (!request.has_data())
      return End(InvalidField("data", "is missing: every message after the first carries bytes"));
    if (request.data().size() > kMaxData) return End(InvalidField("data", "is larger than 1 MiB"));
    WriteInput(std::move(*request.mutable_data()), /*close=*/false);
  }

  void OnSendInitialMetadataDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the client has gone"));
    OutputReader* reader;
    {
      MutexLock lock(&mu_);
      reader = reader_.get();
    }
    // gRPC is done with the call, and the reader destroyed, only after this has returned.
    Drain(reader);
    { MutexLock lock(&mu_); }
  }
  void OnCancel() override { End(absl::CancelledError("the client has gone")); }

  void OnDone() override {
    std::shared_ptr<WriteArchiveCall> self;
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

 private:
  void Begin(const v1::WriteArchiveRequest& request) {
    const v1::WriteArchiveRequest::Start& start = request.start();
    std::shared_ptr<WriteArchiveCall> self;
    {
      MutexLock lock(&mu_);
      self = self_;
      log_.emplace("WriteArchive", CallKind::kMutation, start.pod_id());
      process_.emplace(runtime_, start.pod_id(), start.container_id());
    }
    absl::Status status = request.has_start()
                              ? CheckContainerIds(start.pod_id(), start.container_id())
                              : InvalidField("start", "is missing: the first message must say where to unpack");
    if (status.ok()) status = CheckPath("start.path", start.path());
    if (!status.ok()) return End(status);
    GuestArchive archive;
    archive.write = true;
    archive.path = start.path();
    archive.keep_owner = start.keep_owner();
    process_->Start(std::move(archive), deadline_, [self](absl::StatusOr<std::unique_ptr<OutputReader>> reader) {
      self->OnStarted(std::move(reader));
    });
  }

  void OnStarted(absl::StatusOr<std::unique_ptr<OutputReader>> reader) {
    if (!reader.ok()) {
      process_->End();
      return End(reader.status());
    }
    auto writer = runtime_.OpenInput(process_->pod_id(), process_->key());
    // One that has ended already takes nothing, and its end says why.
    const bool is_over = absl::IsNotFound(writer.status()) || absl::IsFailedPrecondition(writer.status());
    if (!writer.ok() && !is_over) End(writer.status());
    bool gone;
    {
      MutexLock lock(&mu_);
      gone = done_;
      started_ = true;
      if (!gone) reader_ = *std::move(reader);
      if (writer.ok()) writer_ = *std::move(writer);
      if (!ended_) {
        StartRead(&request_);
        StartSendInitialMetadata();
      }
    }
    if (gone) process_->End();
  }

  // Reads output to its end. Next may call back at once, which is no reason to go deeper each time.
  void Drain(OutputReader* reader) {
    enum { kAsked, kCalled, kReturned };
    bool again = true;
    while (again) {
      auto turn = std::make_shared<std::atomic<int>>(kAsked);
      again = false;
      reader->Next([this, reader, turn](absl::StatusOr<std::optional<OutputChunk>> chunk) {
        if (!chunk.ok()) return End(chunk.status());
        if (!chunk->has_value()) return AwaitExit();
        if ((*chunk)->stream == StdStream::kStderr) process_->NoteComplaint((*chunk)->data);
        if (turn->exchange(kCalled) == kReturned) Drain(reader);
      });
      again = turn->exchange(kReturned) == kCalled;
    }
  }

  void WriteInput(std::string data, bool close) {
    std::shared_ptr<WriteArchiveCall> self;
    {
      MutexLock lock(&mu_);
      self = self_;
    }
    if (self == nullptr) return;
    if (writer_ == nullptr) return;  // What is sent goes nowhere: the process has ended.
    writer_->Write(std::move(data), close,
                   [self, close](const absl::Status& status) { self->OnInputTaken(status, close); });
  }

  void OnInputTaken(const absl::Status& status, bool closed) {
    // The process has ended before it read all: its end says why.
    const bool is_over = absl::IsFailedPrecondition(status) || absl::IsNotFound(status);
    if (!status.ok() && !is_over) return End(status);
    MutexLock lock(&mu_);
    if (ended_ || closed || is_over) return;
    StartRead(&request_);
  }

  void AwaitExit() {
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
    Finish(ToGrpcStatus(status));
  }

  PodRuntime& runtime_;
  const absl::Time deadline_;
  // Both set by the first message, before anything that uses them begins.
  std::optional<CallLog> log_;
  std::optional<CopyProcess> process_;

  Mutex mu_;
  std::shared_ptr<WriteArchiveCall> self_ ABSL_GUARDED_BY(mu_);  // Until gRPC is done.
  std::unique_ptr<InputWriter> writer_;  // Set before the second message is read; whoever reads it writes.
  std::unique_ptr<OutputReader> reader_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<PodRuntime::WaitHandle> wait_ ABSL_GUARDED_BY(mu_);
  v1::WriteArchiveRequest request_ ABSL_GUARDED_BY(mu_);
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
};

absl::Time DeadlineOf(grpc::CallbackServerContext* context) {
  return std::min(absl::FromChrono(context->deadline()), absl::Now() + absl::Seconds(60));
}

}  // namespace

grpc::ServerWriteReactor<v1::ReadArchiveResponse>* StartReadArchive(PodRuntime& runtime,
                                                                    grpc::CallbackServerContext* context,
                                                                    const v1::ReadArchiveRequest& request) {
  return ReadArchiveCall::Start(runtime, DeadlineOf(context), request);
}

grpc::ServerReadReactor<v1::WriteArchiveRequest>* StartWriteArchive(PodRuntime& runtime,
                                                                    grpc::CallbackServerContext* context) {
  return WriteArchiveCall::Start(runtime, DeadlineOf(context));
}

}  // namespace vcd
