// SPDX-License-Identifier: Apache-2.0
#include "core/model/field_checks.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

absl::Status CheckText(const std::string& field, const std::string& text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    return InvalidField(field, absl::StrCat("has ", text.size(), " bytes; at most ", max_bytes, " are possible"));
  }
  if (text.find('\0') != std::string::npos) return InvalidField(field, "holds a NUL byte");
  return absl::OkStatus();
}

absl::Status CheckAbsolutePath(const std::string& field, const std::string& path) {
  if (path.empty()) return InvalidField(field, "is empty; an absolute path is needed");
  VCD_RETURN_IF_ERROR(CheckText(field, path, kMaxPathBytes));
  if (path.front() != '/') {
    return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(path), "\" is not an absolute path"));
  }
  return absl::OkStatus();
}

absl::Status CheckBelowRoot(const std::string& field, const std::string& path) {
  VCD_RETURN_IF_ERROR(CheckAbsolutePath(field, path));
  if (path.find_first_not_of("/.") != std::string::npos) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("\"", path, "\" is the container's root itself"));
}

absl::Status CheckOptionalPath(const std::string& field, const std::string& path) {
  return path.empty() ? absl::OkStatus() : CheckAbsolutePath(field, path);
}

absl::Status CheckWord(const std::string& field, const std::string& word, size_t max_bytes) {
  if (word.empty()) return InvalidField(field, "is empty");
  VCD_RETURN_IF_ERROR(CheckText(field, word, max_bytes));
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_iscntrl(byte) || absl::ascii_isspace(byte)) {
      return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(word), "\" holds a blank or control character"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateAnnotations(const google::protobuf::Map<std::string, std::string>& annotations,
                                 const std::string& field) {
  for (const auto& [key, value] : annotations) {
    VCD_RETURN_IF_ERROR(CheckWord(absl::StrCat(field, " key"), key, kMaxKeyBytes));
    VCD_RETURN_IF_ERROR(CheckText(absl::StrCat(field, "[", key, "]"), value, kMaxConfigBytes));
  }
  return absl::OkStatus();
}

absl::Status NotImplementedField(absl::string_view field, absl::string_view what) {
  return WithDetail(absl::UnimplementedError(
                        absl::StrCat("`", field, "`: ", what, " are not implemented in this release; leave it out")),
                    {v1::ERROR_REASON_NOT_IMPLEMENTED, {{"field", std::string(field)}}});
}

std::string Element(absl::string_view field, int index) { return absl::StrCat(field, "[", index, "]"); }

}  // namespace vcd
