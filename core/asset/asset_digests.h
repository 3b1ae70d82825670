// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ASSET_ASSET_DIGESTS_H_
#define VCD_CORE_ASSET_ASSET_DIGESTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/asset/file_digest_cache.h"
#include "core/os/cancellation.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// That a text can be a SHA-512: 128 hexadecimal digits; kInvalidArgument naming `field` otherwise.
absl::Status CheckDigest(absl::string_view field, const std::string& digest);

// That the digests of a configuration whose defaults are filled in are well formed, each of a file that it names.
// kInvalidArgument naming the field.
absl::Status CheckAssetDigests(const v1::HypervisorConfig& config);

// That the files are what their digests say; those without one are not looked at. kFailedPrecondition (INVALID_FIELD)
// naming field, file and both digests; `advice` ends the message. Blocks on the disk when a file is new to the cache,
// for as long as the context allows.
absl::Status VerifyAssets(const v1::HypervisorConfig& config, FileDigestCache& cache, absl::string_view advice,
                          const CallContext& context);

}  // namespace vcd

#endif  // VCD_CORE_ASSET_ASSET_DIGESTS_H_
