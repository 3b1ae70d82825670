// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qmp_codec.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

using nlohmann::json;

// The member, or null when there is none. `operator[]` of a const json must not be asked for what is missing.
const json& Member(const json& object, const char* key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

std::string VersionOf(const json& greeting) {
  const json& version = Member(Member(greeting, "version"), "qemu");
  std::string text;
  for (const char* part : {"major", "minor", "micro"}) {
    const json& number = Member(version, part);
    if (!number.is_number_integer()) return "unknown";
    absl::StrAppend(&text, text.empty() ? "" : ".", number.get<int64_t>());
  }
  return text;
}

}  // namespace

std::string StringField(const json& value, const char* key) {
  const json& member = Member(value, key);
  return member.is_string() ? member.get_ref<const std::string&>() : std::string();
}

absl::StatusOr<QmpMessage> ParseQmpMessage(const std::string& line) {
  json message = json::parse(line, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (message.is_object()) {
    if (message.contains("QMP")) return QmpMessage(QmpGreeting{VersionOf(message["QMP"])});
    if (message.contains("event")) {
      QmpEvent event{StringField(message, "event"), Member(message, "data")};
      if (!event.name.empty()) return QmpMessage(std::move(event));
    }
    QmpReply reply;
    const json& id = Member(message, "id");
    if (id.is_number_unsigned()) reply.id = id.get<uint64_t>();
    if (message.contains("return")) {
      reply.result = std::move(message["return"]);
      return QmpMessage(std::move(reply));
    }
    if (message.contains("error")) {
      const json& error = message["error"];
      reply.error_class = StringField(error, "class");
      reply.error_text = StringField(error, "desc");
      if (reply.error_class.empty()) reply.error_class = "GenericError";
      return QmpMessage(std::move(reply));
    }
  }
  return absl::DataLossError(absl::StrCat("not a QMP message: \"", absl::CHexEscape(line.substr(0, 200)), "\""));
}

std::string EncodeQmpCommand(uint64_t id, const std::string& command, const json& arguments) {
  json message = {{"execute", command}, {"id", id}};
  if (!arguments.is_null()) message["arguments"] = arguments;
  return absl::StrCat(message.dump(-1, ' ', false, json::error_handler_t::replace), "\r\n");
}

absl::Status QmpLineSplitter::Append(const char* data, size_t size) {
  buffer_.append(data, size);
  // Only what holds no whole line may be too long; whole lines are taken out before more is appended.
  const size_t last_end = buffer_.rfind('\n');
  const size_t open = last_end == std::string::npos ? buffer_.size() : buffer_.size() - last_end - 1;
  if (open > kMaxLineBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("a line of more than ", kMaxLineBytes, " bytes"));
  }
  return absl::OkStatus();
}

std::optional<std::string> QmpLineSplitter::Next() {
  for (;;) {
    const size_t end = buffer_.find('\n', scanned_);
    if (end == std::string::npos) {
      scanned_ = buffer_.size();
      return std::nullopt;
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    scanned_ = 0;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) return line;
  }
}

}  // namespace vcd
