// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/archive_call.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "daemon/service/copy_process.h"
#include "daemon/service/input_call.h"
#include "daemon/service/process_call.h"
#include "daemon/service/request_check.h"

namespace vcd {
namespace {

// Of one message of a client's.
constexpr size_t kMaxData = size_t{1} << 20;

absl::Status CheckPath(const char* field, const std::string& path) {
  if (path.empty()) return InvalidField(field, "is missing: say which file or directory");
  if (path[0] != '/') return InvalidField(field, absl::StrCat("`", path, "` is not absolute"));
  if (path.size() > 4095) return InvalidField(field, "is longer than 4095 bytes");
  if (absl::StrContains(path, '\0')) return InvalidField(field, "has a zero byte in it");
  return absl::OkStatus();
}

class ReadArchiveCall final : public ProcessCall<grpc::ServerWriteReactor<v1::ReadArchiveResponse>, CopyProcess> {
 public:
  static ReadArchiveCall* Start(PodRuntime& runtime, absl::Time deadline, const v1::ReadArchiveRequest& request) {
    auto call = std::make_shared<ReadArchiveCall>(runtime);
    call->Own();
    call->Begin(deadline, request);
    return call.get();
  }

  explicit ReadArchiveCall(PodRuntime& runtime) : ProcessCall(runtime) {}

  void OnSendInitialMetadataDone(bool ok) override { OnWriteDone(ok); }
  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the client has gone"));
    reader()->Next([this](absl::StatusOr<std::optional<OutputChunk>> chunk) { OnOutput(std::move(chunk)); });
    ShowToOnDone();
  }

 private:
  void Begin(absl::Time deadline, const v1::ReadArchiveRequest& request) {
    SetProcess("ReadArchive", CallKind::kRead, request.pod_id(), request.container_id());
    absl::Status status = CheckContainerIds(request.pod_id(), request.container_id());
    if (status.ok()) status = CheckPath("path", request.path());
    if (!status.ok()) return End(status);
    GuestArchive archive;
    archive.path = request.path();
    archive.follow_symlink = request.follow_symlink();
    archive.stat_only = request.stat_only();
    StartProcess(std::move(archive), deadline);
  }

  void OnOutput(absl::StatusOr<std::optional<OutputChunk>> chunk) {
    if (!chunk.ok()) return End(chunk.status());
    if (!chunk->has_value()) return AwaitExit();
    OutputChunk& output = **chunk;
    MutexLock lock(&mu_);
    if (ended()) return;
    response_.clear_data();
    if (output.stream == StdStream::kStdout) {
      response_.set_data(std::move(output.data));
    } else {
      process().NoteComplaint(output.data);  // And an empty message, so that also this goes at the client's pace.
    }
    StartWrite(&response_);
  }

  v1::ReadArchiveResponse response_ ABSL_GUARDED_BY(mu_);
};

// Two pumps: requests become input, one at a time; output is read for what the guest complains of, up to the process's
// end, which is the call's.
class WriteArchiveCall final
    : public InputCall<grpc::ServerReadReactor<v1::WriteArchiveRequest>, CopyProcess, v1::WriteArchiveRequest> {
 public:
  static WriteArchiveCall* Start(PodRuntime& runtime, absl::Time deadline) {
    auto call = std::make_shared<WriteArchiveCall>(runtime, deadline);
    call->Own();
    call->ReadFirst();
    return call.get();
  }

  WriteArchiveCall(PodRuntime& runtime, absl::Time deadline) : InputCall(runtime), deadline_(deadline) {}

  void OnSendInitialMetadataDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the client has gone"));
    Drain(reader());
    ShowToOnDone();
  }

 private:
  void Begin(const v1::WriteArchiveRequest& request) override {
    const v1::WriteArchiveRequest::Start& start = request.start();
    SetProcess("WriteArchive", CallKind::kMutation, start.pod_id(), start.container_id());
    absl::Status status = request.has_start()
                              ? CheckContainerIds(start.pod_id(), start.container_id())
                              : InvalidField("start", "is missing: the first message must say where to unpack");
    if (status.ok()) status = CheckPath("start.path", start.path());
    if (!status.ok()) return End(status);
    GuestArchive archive;
    archive.write = true;
    archive.path = start.path();
    archive.keep_owner = start.keep_owner();
    StartProcess(std::move(archive), deadline_);
  }

  void Feed(v1::WriteArchiveRequest request) override {
    if (!request.has_data())
      return End(InvalidField("data", "is missing: every message after the first carries bytes"));
    if (request.data().size() > kMaxData) return End(InvalidField("data", "is larger than 1 MiB"));
    WriteInput(std::move(*request.mutable_data()), /*close=*/false);
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
        if ((*chunk)->stream == StdStream::kStderr) process().NoteComplaint((*chunk)->data);
        if (turn->exchange(kCalled) == kReturned) Drain(reader);
      });
      again = turn->exchange(kReturned) == kCalled;
    }
  }

  const absl::Time deadline_;
};

}  // namespace

grpc::ServerWriteReactor<v1::ReadArchiveResponse>* StartReadArchive(PodRuntime& runtime,
                                                                    grpc::CallbackServerContext* context,
                                                                    const v1::ReadArchiveRequest& request) {
  return ReadArchiveCall::Start(runtime, ReadArchiveCall::StartDeadline(*context), request);
}

grpc::ServerReadReactor<v1::WriteArchiveRequest>* StartWriteArchive(PodRuntime& runtime,
                                                                    grpc::CallbackServerContext* context) {
  return WriteArchiveCall::Start(runtime, WriteArchiveCall::StartDeadline(*context));
}

}  // namespace vcd
