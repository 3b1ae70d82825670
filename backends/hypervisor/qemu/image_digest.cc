// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/image_digest.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"

namespace vcd {

ImageDigest::ImageDigest()
    : context_(::EVP_MD_CTX_new()),
      good_(context_ != nullptr && ::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr) == 1) {}

void ImageDigest::Add(const void* data, size_t size) {
  const uint64_t length = size;
  good_ = good_ && ::EVP_DigestUpdate(context_.get(), &length, sizeof length) == 1 &&
          ::EVP_DigestUpdate(context_.get(), data, size) == 1;
}

absl::StatusOr<std::string> ImageDigest::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!good_ || ::EVP_DigestFinal_ex(context_.get(), digest, &size) != 1) {
    return absl::InternalError("OpenSSL does not compute SHA-256");
  }
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace vcd
