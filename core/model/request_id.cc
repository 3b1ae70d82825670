// SPDX-License-Identifier: Apache-2.0
#include "core/model/request_id.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace vcd {
namespace {

// FNV-1a, 64 bits.
constexpr uint64_t kOffsetBasis = 0xcbf29ce484222325;
constexpr uint64_t kPrime = 0x100000001b3;

void Add(absl::string_view bytes, uint64_t* hash) {
  for (const char byte : bytes) *hash = (*hash ^ static_cast<unsigned char>(byte)) * kPrime;
}

}  // namespace

absl::Status ValidateRequestId(absl::string_view request_id) {
  if (request_id.size() > kMaxRequestIdBytes) {
    return InvalidField("request_id", absl::StrCat("has ", request_id.size(), " bytes; it has at most ",
                                                   kMaxRequestIdBytes, ", such as a UUID"));
  }
  const bool printable = std::all_of(request_id.begin(), request_id.end(),
                                     [](char byte) { return absl::ascii_isgraph(static_cast<unsigned char>(byte)); });
  if (printable) return absl::OkStatus();
  return InvalidField("request_id", absl::StrCat("\"", absl::CHexEscape(request_id),
                                                 "\" must hold only printable ASCII characters without blanks"));
}

uint64_t RequestFingerprint(std::initializer_list<absl::string_view> parts) {
  uint64_t hash = kOffsetBasis;
  for (const absl::string_view part : parts) {
    // The length first, so that no two lists of parts run into one.
    Add(absl::StrCat(part.size(), ":"), &hash);
    Add(part, &hash);
  }
  return hash;
}

std::string FingerprintPart(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string IdOfRequest(absl::string_view request_id) {
  return absl::StrCat("r", absl::Hex(RequestFingerprint({request_id}), absl::kZeroPad16));
}

}  // namespace vcd
