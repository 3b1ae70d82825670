// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/log_stream.h"

#include <memory>
#include <optional>
#include <utility>

#include "daemon/service/request_check.h"
#include "daemon/service/write_stream.h"

namespace vcd {
namespace {

class LogStream final : public WriteStream<v1::ReadLogsResponse> {
 public:
  LogStream(PodRuntime& runtime, const v1::ReadLogsRequest& request)
      : WriteStream(CallLog("ReadLogs", CallKind::kRead, request.pod_id())) {
    absl::Status status = CheckContainerIds(request.pod_id(), request.container_id());
    if (status.ok()) {
      auto reader = runtime.ReadLogs(request.pod_id(), request.container_id(), request.follow(), request.tail_lines());
      status = reader.status();
      if (reader.ok()) reader_ = *std::move(reader);
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
