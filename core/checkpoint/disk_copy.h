// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CHECKPOINT_DISK_COPY_H_
#define VCD_CORE_CHECKPOINT_DISK_COPY_H_

#include <string>

#include "absl/status/status.h"
#include "core/os/cancellation.h"

namespace vcd {

// Copies an image file to `to`, which nobody else may read and which must not be there. Holes stay holes, and what
// neither of the two changes takes room once where the file system can do that. Is not synced. Nothing is there on
// failure: kResourceExhausted when the disk is full, kFailedPrecondition for what is no regular file.
absl::Status CopyDisk(const std::string& from, const std::string& to, const CallContext& context);

// The same of one that is open to be read; `name` is for messages.
absl::Status CopyOpenDisk(int from, const std::string& name, const std::string& to, const CallContext& context);

}  // namespace vcd

#endif  // VCD_CORE_CHECKPOINT_DISK_COPY_H_
