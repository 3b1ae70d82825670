// SPDX-License-Identifier: Apache-2.0
#include "core/asset/file_hash.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr size_t kPieceBytes = 256 << 10;

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
};
using Digest = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

absl::StatusOr<Digest> Begin(HashKind kind) {
  Digest digest(::EVP_MD_CTX_new());
  const EVP_MD* algorithm = kind == HashKind::kSha256 ? ::EVP_sha256() : ::EVP_sha512();
  if (digest == nullptr || ::EVP_DigestInit_ex(digest.get(), algorithm, nullptr) != 1) {
    return absl::InternalError(absl::StrCat("libcrypto gives no SHA-", kind == HashKind::kSha256 ? "256" : "512"));
  }
  return digest;
}

std::string Finish(const Digest& digest) {
  std::string bytes(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  ::EVP_DigestFinal_ex(digest.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size);
  bytes.resize(size);
  return absl::BytesToHexString(bytes);
}

}  // namespace

absl::StatusOr<std::string> HashFile(int fd, const std::string& path, HashKind kind, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const Digest digest, Begin(kind));
  std::vector<char> piece(kPieceBytes);
  while (true) {
    VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("hash ", path)));
    const ssize_t size = ::read(fd, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return PosixError(errno, absl::StrCat("read ", path));
    if (size == 0) return Finish(digest);
    ::EVP_DigestUpdate(digest.get(), piece.data(), static_cast<size_t>(size));
  }
}

absl::StatusOr<std::string> HashBytes(absl::string_view bytes, HashKind kind) {
  VCD_ASSIGN_OR_RETURN(const Digest digest, Begin(kind));
  ::EVP_DigestUpdate(digest.get(), bytes.data(), bytes.size());
  return Finish(digest);
}

}  // namespace vcd
