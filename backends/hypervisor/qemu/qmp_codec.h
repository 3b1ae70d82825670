// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QMP_CODEC_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QMP_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The QEMU Machine Protocol on the wire: one JSON object a line (qemu/docs/interop/qmp-spec.txt). Nothing here throws.
namespace vcd {

// The first line of a conversation.
struct QmpGreeting {
  std::string version;  // Such as "7.2.22".
};

// The answer to a command.
struct QmpReply {
  uint64_t id = 0;  // 0 when the peer could not tell which command it answers.
  // Empty when it succeeded.
  std::string error_class;  // Such as "GenericError", "DeviceNotFound".
  std::string error_text;
  nlohmann::json result;
};

// What happened at the peer, between replies at any time.
struct QmpEvent {
  std::string name;  // Such as "SHUTDOWN".
  nlohmann::json data;
};

using QmpMessage = std::variant<QmpGreeting, QmpReply, QmpEvent>;

// kDataLoss when the line is no message of the protocol.
absl::StatusOr<QmpMessage> ParseQmpMessage(const std::string& line);

// A command with its line end. Bytes in `arguments` that are not UTF-8 are replaced: QMP cannot carry them.
std::string EncodeQmpCommand(uint64_t id, const std::string& command, const nlohmann::json& arguments);

// The string under `key`, or "" when `value` is no object or holds something else there.
std::string StringField(const nlohmann::json& value, const char* key);

// Cuts a stream into lines.
class QmpLineSplitter {
 public:
  // Longer lines are not waited for. The longest that vcd asks for is some kilobytes.
  static constexpr size_t kMaxLineBytes = 1 << 20;

  // kResourceExhausted when a line grows over the limit; the stream is of no use then.
  absl::Status Append(const char* data, size_t size);

  // The next whole line without its end; empty lines are skipped.
  std::optional<std::string> Next();

 private:
  std::string buffer_;
  size_t scanned_ = 0;  // No line end before here.
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QMP_CODEC_H_
