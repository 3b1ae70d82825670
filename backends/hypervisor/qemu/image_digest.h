// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_IMAGE_DIGEST_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_IMAGE_DIGEST_H_

#include <openssl/evp.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace vcd {

// SHA-256 of parts, each of which counts with its length: no two lists of parts are taken for each other.
class ImageDigest {
 public:
  ImageDigest();

  void Add(const void* data, size_t size);
  void Add(const std::string& part) { Add(part.data(), part.size()); }

  // 64 lower-case hexadecimal digits; nothing is added afterwards. kInternal when the library failed.
  absl::StatusOr<std::string> Finish();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
  };
  const std::unique_ptr<EVP_MD_CTX, Free> context_;
  bool good_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_IMAGE_DIGEST_H_
