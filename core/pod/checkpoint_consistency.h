// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CHECKPOINT_CONSISTENCY_H_
#define VCD_CORE_POD_CHECKPOINT_CONSISTENCY_H_

#include <string>

#include "absl/status/status.h"
#include "core/checkpoint/checkpoint.h"

namespace vcd {

// Whether the files of a checkpoint tell of one pod, such as checkpoints are made of: each may be as its digest says,
// and written by anybody. OK lets its ids be used in names of files. kDataLoss (CHECKPOINT_UNFIT) otherwise, naming the
// file and what it says.
absl::Status CheckConsistent(const Checkpoint& checkpoint, const std::string& directory);

// Whether the machine of its record is the one that a pod of that configuration, with its defaults, would have. Errors
// as above.
absl::Status CheckRecordedMachine(const Checkpoint& checkpoint, const std::string& directory,
                                  const v1::PodConfig& config);

// Whether there are any, of pod or containers.
bool HasHooks(const v1::PodConfig& config);

}  // namespace vcd

#endif  // VCD_CORE_POD_CHECKPOINT_CONSISTENCY_H_
