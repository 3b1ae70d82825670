// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CLEAN_UP_H_
#define VCD_CORE_POD_CLEAN_UP_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/os/cancellation.h"
#include "core/pod/pod.h"

namespace vcd {

// What cleaning up may take, whatever became of the operation.
inline CallContext CleanUpContext() { return {absl::Now() + absl::Seconds(30), nullptr}; }

// For a step after which the others go on.
inline void LogFailure(const Pod& pod, absl::string_view step, const absl::Status& status) {
  if (!status.ok()) LogError(pod.id(), absl::StrCat(step, ": ", status.message()));
}

}  // namespace vcd

#endif  // VCD_CORE_POD_CLEAN_UP_H_
