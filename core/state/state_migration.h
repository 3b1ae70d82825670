// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_STATE_MIGRATION_H_
#define VCD_CORE_STATE_STATE_MIGRATION_H_

#include <nlohmann/json_fwd.hpp>

#include "absl/status/status.h"

namespace vcd {

// The format of state.json that this release writes, and the newest that it reads:
//
//   1  `intent` said what was under way.
//   2  `under_way` says it, with the request that asked for it; `done` has the last requests that were done.
inline constexpr int kStateFormatVersion = 2;

// Turns a document of any format that was ever written into the current one, step by step; one that is current already
// stays as it is. kDataLoss for a newer format, and for a document that tells none.
absl::Status MigrateRecord(nlohmann::ordered_json& document);

}  // namespace vcd

#endif  // VCD_CORE_STATE_STATE_MIGRATION_H_
