// SPDX-License-Identifier: Apache-2.0
#include "core/asset/asset_digests.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/asset/asset_fields.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kDigestDigits = 128;

std::string DigestField(const AssetField& asset) { return absl::StrCat("hypervisor_config.sha512.", asset.name); }

}  // namespace

absl::Status CheckDigest(absl::string_view field, const std::string& digest) {
  if (digest.size() != kDigestDigits) {
    return InvalidField(field, absl::StrCat("has ", digest.size(), " characters; a SHA-512 has ", kDigestDigits,
                                            " hexadecimal digits, as sha512sum prints them"));
  }
  if (std::all_of(digest.begin(), digest.end(), [](unsigned char c) { return absl::ascii_isxdigit(c); })) {
    return absl::OkStatus();
  }
  return InvalidField(field, "is no SHA-512: only hexadecimal digits are possible, as sha512sum prints them");
}

absl::Status CheckAssetDigests(const v1::HypervisorConfig& config) {
  for (const AssetField& asset : AssetFields()) {
    const std::string& digest = (config.sha512().*asset.digest)();
    if (digest.empty()) continue;
    VCD_RETURN_IF_ERROR(CheckDigest(DigestField(asset), digest));
    if ((config.*asset.path)().empty()) {
      return InvalidField(DigestField(asset), absl::StrCat("is given without a file; set hypervisor_config.",
                                                           asset.name, "_path, or leave the digest out"));
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyAssets(const v1::HypervisorConfig& config, FileDigestCache& cache, absl::string_view advice,
                          const CallContext& context) {
  for (const AssetField& asset : AssetFields()) {
    const std::string& expected = (config.sha512().*asset.digest)();
    if (expected.empty()) continue;
    const ErrorDetail detail = {v1::ERROR_REASON_INVALID_FIELD, {{"field", DigestField(asset)}}};
    const absl::StatusOr<std::string> found = cache.Sha512((config.*asset.path)(), context);
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("`", DigestField(asset), "`: read ", (config.*asset.path)())));
    if (!found.ok()) {
      return WithDetail(absl::FailedPreconditionError(absl::StrCat(
                            "`", DigestField(asset), "`: cannot be checked: ", found.status().message(), "; ", advice)),
                        detail);
    }
    if (absl::EqualsIgnoreCase(*found, expected)) continue;
    return WithDetail(
        absl::FailedPreconditionError(absl::StrCat("`", DigestField(asset), "`: ", (config.*asset.path)(),
                                                   " is not the file that was asked for: ", "its SHA-512 is ", *found,
                                                   ", expected was ", expected, "; ", advice)),
        detail);
  }
  return absl::OkStatus();
}

}  // namespace vcd
