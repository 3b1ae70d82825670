// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_STATE_CODEC_H_
#define VCD_CORE_STATE_STATE_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// What is on disk: protobuf JSON with the names of the .proto files, indented, and a checksum (core/state/seal.h).
// Decoding takes bytes that anybody may
// have written and returns kDataLoss for what it cannot read, saying where. Pure functions.
//
// `unknown` holds what a newer release wrote and this one does not know, in a form of its own: decoding sets it, empty
// when there is nothing, and encoding puts it back (core/state/unknown_members.h).
absl::StatusOr<std::string> EncodePodConfig(const v1::PodConfig& config, const std::string& unknown = "");
absl::StatusOr<v1::PodConfig> DecodePodConfig(const std::string& json, std::string* unknown = nullptr);

// Writes the current format (core/state/state_migration.h) whatever the record says.
absl::StatusOr<std::string> EncodePodRecord(const state::v1::PodRecord& record, const std::string& unknown = "");
// Reads every format that was ever written; kDataLoss also for a newer one.
absl::StatusOr<state::v1::PodRecord> DecodePodRecord(const std::string& json, std::string* unknown = nullptr);

// A machine that waits for a pod. Nothing of another release is read: such a machine is worth little.
absl::StatusOr<std::string> EncodeWarmMachine(const state::v1::WarmMachine& machine);
absl::StatusOr<state::v1::WarmMachine> DecodeWarmMachine(const std::string& json);

}  // namespace vcd

#endif  // VCD_CORE_STATE_STATE_CODEC_H_
