// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/console_stream.h"

#include <memory>
#include <optional>
#include <utility>

#include "daemon/service/request_check.h"
#include "daemon/service/write_stream.h"

namespace vcd {
namespace {

class ConsoleStream final : public WriteStream<v1::ReadConsoleResponse> {
 public:
  ConsoleStream(PodRuntime& runtime, const v1::ReadConsoleRequest& request)
      : WriteStream(CallLog("ReadConsole", CallKind::kRead, request.pod_id())) {
    absl::Status status = CheckId("pod_id", request.pod_id());
    if (status.ok()) {
      auto reader = runtime.ReadConsole(request.pod_id(), {request.follow(), request.tail_bytes()});
      status = reader.status();
      if (reader.ok()) reader_ = *std::move(reader);
    }
    Begin(status);
  }

 private:
  void AskNext() override {
    reader_->Next([this](absl::StatusOr<std::optional<OutputChunk>> chunk) {
      if (!chunk.ok() || !chunk->has_value()) return End(chunk.status());
      v1::ReadConsoleResponse response;
      response.set_data(std::move((*chunk)->data));
      Send(std::move(response));
    });
  }

  void DropSource() override { reader_.reset(); }

  std::unique_ptr<OutputReader> reader_;
};

}  // namespace

grpc::ServerWriteReactor<v1::ReadConsoleResponse>* StartConsoleStream(PodRuntime& runtime,
                                                                      const v1::ReadConsoleRequest& request) {
  return new ConsoleStream(runtime, request);
}

}  // namespace vcd
