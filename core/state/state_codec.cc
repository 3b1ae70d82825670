// SPDX-License-Identifier: Apache-2.0
#include "core/state/state_codec.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "core/state/json_printer.h"
#include "core/state/json_reader.h"
#include "core/state/seal.h"
#include "core/state/state_migration.h"
#include "core/state/unknown_members.h"
#include "core/status/status_macros.h"
#include "google/protobuf/util/json_util.h"

namespace vcd {
namespace {

using Json = nlohmann::ordered_json;

// Deeper than any record, and what the parser can do without a deep stack.
constexpr int kMaxDepth = 64;

constexpr uint32_t kWarmMachineFormat = 1;

absl::StatusOr<std::string> Encode(const google::protobuf::Message& message, const std::string& unknown) {
  absl::StatusOr<std::string> json = PrintJson(message);
  if (!json.ok()) return absl::InternalError(absl::StrCat("encode: ", json.status().message()));
  if (unknown.empty()) return Seal(*json);
  Json document = Json::parse(*json, nullptr, /*allow_exceptions=*/false);
  RestoreUnknownMembers(Json::parse(unknown, nullptr, /*allow_exceptions=*/false), *message.GetDescriptor(), document);
  return Seal(document.dump(1, ' ', false, Json::error_handler_t::replace));
}

bool TooDeep(const std::string& json) {
  int depth = 0;
  for (const char byte : json) {
    if (byte == '{' || byte == '[') ++depth;
    if (byte == '}' || byte == ']') --depth;
    if (depth > kMaxDepth) return true;
  }
  return false;
}

absl::Status Parse(const std::string& json, bool ignore_unknown, google::protobuf::Message* message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = ignore_unknown;
  const auto status = google::protobuf::util::JsonStringToMessage(json, message, options);
  if (!status.ok()) return absl::DataLossError(std::string(status.message()));
  return absl::OkStatus();
}

// The whole document, for what protobuf's own parser does not do.
absl::StatusOr<Json> ParseDocument(const std::string& json) {
  if (TooDeep(json)) return absl::DataLossError("is nested too deeply");
  Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return absl::DataLossError("is no JSON object");
  return document;
}

// The common case, a document that this very release has printed, is read once; so is what its schema knows by the
// library.
absl::Status Decode(std::string json, absl::Status (*migrate)(Json&), google::protobuf::Message* message,
                    std::string* unknown) {
  if (unknown != nullptr) unknown->clear();
  VCD_RETURN_IF_ERROR(Unseal(&json));
  // It takes text that only blanks are in for a message that has no fields.
  if (json.find('{') == std::string::npos) return absl::DataLossError("is empty or no JSON object");
  if (migrate == nullptr && ReadPrintedJson(json, message)) return absl::OkStatus();
  message->Clear();
  if (migrate == nullptr && Parse(json, /*ignore_unknown=*/false, message).ok()) return absl::OkStatus();
  message->Clear();
  VCD_ASSIGN_OR_RETURN(Json document, ParseDocument(json));
  if (migrate != nullptr) VCD_RETURN_IF_ERROR(migrate(document));
  VCD_RETURN_IF_ERROR(
      Parse(document.dump(-1, ' ', false, Json::error_handler_t::replace), /*ignore_unknown=*/true, message));
  const Json members = UnknownMembers(document, *message->GetDescriptor());
  if (unknown != nullptr && !members.is_null()) *unknown = members.dump();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> EncodePodConfig(const v1::PodConfig& config, const std::string& unknown) {
  return Encode(config, unknown);
}

absl::StatusOr<v1::PodConfig> DecodePodConfig(const std::string& json, std::string* unknown) {
  v1::PodConfig config;
  VCD_RETURN_IF_ERROR(Decode(json, nullptr, &config, unknown));
  return config;
}

absl::StatusOr<std::string> EncodePodRecord(const state::v1::PodRecord& record, const std::string& unknown) {
  state::v1::PodRecord stamped = record;
  stamped.set_format_version(kStateFormatVersion);
  return Encode(stamped, unknown);
}

absl::StatusOr<state::v1::PodRecord> DecodePodRecord(const std::string& json, std::string* unknown) {
  state::v1::PodRecord record;
  const absl::Status current = Decode(json, nullptr, &record, unknown);
  if (current.ok() && record.format_version() == kStateFormatVersion) return record;
  VCD_RETURN_IF_ERROR(Decode(json, MigrateRecord, &record, unknown));
  return record;
}

absl::StatusOr<std::string> EncodeWarmMachine(const state::v1::WarmMachine& machine) {
  state::v1::WarmMachine stamped = machine;
  stamped.set_format_version(kWarmMachineFormat);
  return Encode(stamped, "");
}

absl::StatusOr<state::v1::WarmMachine> DecodeWarmMachine(const std::string& json) {
  state::v1::WarmMachine machine;
  VCD_RETURN_IF_ERROR(Decode(json, nullptr, &machine, nullptr));
  if (machine.format_version() == kWarmMachineFormat) return machine;
  return absl::DataLossError(absl::StrCat("machine.json: has format ", machine.format_version()));
}

}  // namespace vcd
