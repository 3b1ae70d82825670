// SPDX-License-Identifier: Apache-2.0
#include "core/model/ids.h"

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

bool IsIdByte(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-'; }

}  // namespace

bool IsValidId(absl::string_view id) {
  if (id.empty() || id.size() > kMaxIdBytes) return false;
  if (!absl::ascii_isalnum(static_cast<unsigned char>(id.front()))) return false;
  for (const char c : id) {
    if (!IsIdByte(c)) return false;
  }
  return true;
}

absl::Status ValidateId(absl::string_view field, absl::string_view id) {
  if (IsValidId(id)) return absl::OkStatus();
  if (id.empty()) return InvalidField(field, "is empty");
  if (id.size() > kMaxIdBytes) {
    return InvalidField(field, absl::StrCat("has ", id.size(), " bytes; an id has at most ", kMaxIdBytes));
  }
  return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(id),
                                          "\" is no id: it must start with a letter or digit and hold only letters, "
                                          "digits, '_', '.' and '-'"));
}

std::string GenerateId() {
  absl::BitGen random;
  std::string id(12, '0');
  for (char& digit : id) digit = "0123456789abcdef"[absl::Uniform(random, 0, 16)];
  id[0] = "abcdef"[absl::Uniform(random, 0, 6)];
  return id;
}

}  // namespace vcd
