// SPDX-License-Identifier: Apache-2.0
#include "core/state/state_codec.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace vcd {
namespace {

absl::StatusOr<std::string> Encode(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InternalError(absl::StrCat("encode: ", std::string(status.message())));
  return json;
}

absl::Status Decode(const std::string& json, google::protobuf::Message* message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  // It takes text that only blanks are in for a message that has no fields.
  if (json.find('{') == std::string::npos) return absl::DataLossError("is empty or no JSON object");
  const auto status = google::protobuf::util::JsonStringToMessage(json, message, options);
  if (!status.ok()) return absl::DataLossError(std::string(status.message()));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> EncodePodConfig(const v1::PodConfig& config) { return Encode(config); }

absl::StatusOr<v1::PodConfig> DecodePodConfig(const std::string& json) {
  v1::PodConfig config;
  absl::Status status = Decode(json, &config);
  if (!status.ok()) return status;
  return config;
}

absl::StatusOr<std::string> EncodePodRecord(const state::v1::PodRecord& record) {
  state::v1::PodRecord stamped = record;
  stamped.set_format_version(kStateFormatVersion);
  return Encode(stamped);
}

absl::StatusOr<state::v1::PodRecord> DecodePodRecord(const std::string& json) {
  state::v1::PodRecord record;
  absl::Status status = Decode(json, &record);
  if (!status.ok()) return status;
  if (record.format_version() != kStateFormatVersion) {
    return absl::DataLossError(
        absl::StrCat("has format version ", record.format_version(), "; this release reads ", kStateFormatVersion));
  }
  return record;
}

}  // namespace vcd
