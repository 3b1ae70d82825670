// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_STATE_CODEC_H_
#define VCD_CORE_STATE_STATE_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// The format that this release writes, and the newest that it reads.
inline constexpr int kStateFormatVersion = 1;

// What is on disk: protobuf JSON with the names of the .proto files, indented. Decoding takes bytes that anybody may
// have written and returns kDataLoss for what it cannot read, saying where. Unknown fields are ignored: an older
// release must be able to go on with what a newer one wrote. Pure functions.
absl::StatusOr<std::string> EncodePodConfig(const v1::PodConfig& config);
absl::StatusOr<v1::PodConfig> DecodePodConfig(const std::string& json);

// Writes kStateFormatVersion whatever the record says.
absl::StatusOr<std::string> EncodePodRecord(const state::v1::PodRecord& record);
// kDataLoss also for another format version.
absl::StatusOr<state::v1::PodRecord> DecodePodRecord(const std::string& json);

}  // namespace vcd

#endif  // VCD_CORE_STATE_STATE_CODEC_H_
