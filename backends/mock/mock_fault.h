// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_MOCK_MOCK_FAULT_H_
#define VCD_BACKENDS_MOCK_MOCK_FAULT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace vcd {

// What happens to an operation, in the order of these fields.
struct MockFault {
  absl::Duration stuck = absl::ZeroDuration();  // Nothing ends this wait early.
  absl::Duration delay = absl::ZeroDuration();  // Ends early with the operation's context.
  bool hang = false;                            // Until then.
  bool die = false;                             // The machine ends.
  absl::Status error;                           // OK: none.
  uint32_t after = 0;                           // Happens not the first times,
  std::optional<uint32_t> times;                // and then this often; without a value always.
};

// A fault out of its textual form (MockBehavior in proto/vcd/v1/mock.proto); `none` is one that does nothing. Errors
// are kInvalidArgument, for people, and do not name the field.
absl::StatusOr<MockFault> ParseMockFault(const std::string& text);

// A duration such as `200ms` or `1m30s`, from 0 to a day. Errors as above.
absl::StatusOr<absl::Duration> ParseMockDuration(const std::string& text);

}  // namespace vcd

#endif  // VCD_BACKENDS_MOCK_MOCK_FAULT_H_
