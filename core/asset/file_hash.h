// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ASSET_FILE_HASH_H_
#define VCD_CORE_ASSET_FILE_HASH_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/os/cancellation.h"

namespace vcd {

enum class HashKind { kSha256, kSha512 };

// The digest of what a descriptor holds from its position on, in lower-case hexadecimal. `path` is for messages. Blocks
// on the disk until the context ends.
absl::StatusOr<std::string> HashFile(int fd, const std::string& path, HashKind kind, const CallContext& context);

// The digest of some bytes.
absl::StatusOr<std::string> HashBytes(absl::string_view bytes, HashKind kind);

}  // namespace vcd

#endif  // VCD_CORE_ASSET_FILE_HASH_H_
