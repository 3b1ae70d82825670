// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/log_stream.h"

#include <memory>
#include <optional>
#include <utility>

#include "core/status/error_detail.h"
#include "daemon/service/request_check.h"
#include "daemon/service/write_stream.h"

namespace vcd {
namespace {

absl::StatusOr<LogSelection> SelectionOf(const v1::ReadLogsRequest& request) {
  LogSelection selection;
  selection.follow = request.follow();
  if (request.has_tail_lines()) selection.tail_lines = request.tail_lines();
  if (request.has_since()) {
    const int64_t seconds = request.since().seconds();
    const int32_t nanoseconds = request.since().nanos();
    // What a Timestamp may hold: the years 1 to 9999.
    if (seconds < -62135596800 || seconds > 253402300799 || nanoseconds < 0 || nanoseconds > 999999999) {
      return InvalidField("since", "is no time: seconds are -62135596800 … 253402300799, nanos 0 … 999999999");
    }
    selection.since = absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanoseconds);
  }
  return selection;
}

class LogStream final : public WriteStream<v1::ReadLogsResponse> {
 public:
  LogStream(PodRuntime& runtime, const v1::ReadLogsRequest& request)
      : WriteStream(CallLog("ReadLogs", CallKind::kRead, request.pod_id())) {
    absl::Status status = CheckContainerIds(request.pod_id(), request.container_id());
    if (status.ok()) {
      absl::StatusOr<LogSelection> selection = SelectionOf(request);
      status = selection.status();
      if (selection.ok()) {
        auto reader = runtime.ReadLogs(request.pod_id(), request.container_id(), *selection);
        status = reader.status();
        if (reader.ok()) reader_ = *std::move(reader);
      }
    }
    Begin(status);
  }

 private:
  void AskNext() override {
    reader_->Next([this](absl::StatusOr<std::optional<OutputChunk>> chunk) {
      if (!chunk.ok() || !chunk->has_value()) return End(chunk.status());
      OutputChunk& output = **chunk;
      v1::ReadLogsResponse response;
      const int64_t nanoseconds = absl::ToUnixNanos(output.time);
      response.mutable_time()->set_seconds(nanoseconds / 1000000000);
      response.mutable_time()->set_nanos(static_cast<int32_t>(nanoseconds % 1000000000));
      response.set_stream(output.stream == StdStream::kStdout ? v1::OUTPUT_STREAM_STDOUT : v1::OUTPUT_STREAM_STDERR);
      response.set_data(std::move(output.data));
      response.set_lost_bytes(output.lost_bytes);
      Send(std::move(response));
    });
  }

  void DropSource() override { reader_.reset(); }

  std::unique_ptr<OutputReader> reader_;
};

}  // namespace

grpc::ServerWriteReactor<v1::ReadLogsResponse>* StartLogStream(PodRuntime& runtime,
                                                               const v1::ReadLogsRequest& request) {
  return new LogStream(runtime, request);
}

}  // namespace vcd
