// SPDX-License-Identifier: Apache-2.0
#include "core/state/seal.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/link/frame_codec.h"

namespace vcd {
namespace {

constexpr absl::string_view kBegin = ",\n \"checksum\": \"";
constexpr size_t kDigits = 8;
constexpr absl::string_view kEnd = "\"\n}";
constexpr absl::string_view kBrace = "\n}";

std::string Checksum(const std::string& json) { return absl::StrCat(absl::Hex(Crc32c(json), absl::kZeroPad8)); }

}  // namespace

std::string Seal(const std::string& json) {
  std::string text(absl::StripTrailingAsciiWhitespace(json));
  if (!absl::EndsWith(text, kBrace)) return json;
  const std::string checksum = Checksum(text);
  text.resize(text.size() - kBrace.size());
  return absl::StrCat(text, kBegin, checksum, kEnd, "\n");
}

absl::Status Unseal(std::string* json) {
  const std::string text(absl::StripTrailingAsciiWhitespace(*json));
  const size_t seal_size = kBegin.size() + kDigits + kEnd.size();
  if (text.size() < seal_size) return absl::OkStatus();
  const size_t begin = text.size() - seal_size;
  if (!absl::EndsWith(text, kEnd) || text.compare(begin, kBegin.size(), kBegin.data(), kBegin.size()) != 0) {
    return absl::OkStatus();
  }
  const std::string checksum = text.substr(begin + kBegin.size(), kDigits);
  std::string document = absl::StrCat(text.substr(0, begin), kBrace);
  if (Checksum(document) != checksum) {
    return absl::DataLossError(
        "does not have the bytes that its checksum was made of; who has edited it takes the member `checksum` out");
  }
  *json = std::move(document);
  return absl::OkStatus();
}

}  // namespace vcd
