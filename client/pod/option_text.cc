// SPDX-License-Identifier: Apache-2.0
#include "client/pod/option_text.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <limits>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/vcd/v1/linux_names.h"

namespace vcd::client {
namespace {

absl::Status MustBe(const std::string& option, const std::string& text, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(option, " \"", text, "\": must be ", what));
}

bool ParseLimit(absl::string_view text, uint64_t* value) {
  if (text == "unlimited" || text == "-1") {
    *value = std::numeric_limits<uint64_t>::max();
    return true;
  }
  return absl::SimpleAtoi(text, value);
}

}  // namespace

absl::StatusOr<std::pair<std::string, std::string>> KeyAndValue(const std::string& option, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) return MustBe(option, text, "KEY=VALUE");
  return std::make_pair(text.substr(0, equals), text.substr(equals + 1));
}

absl::StatusOr<std::string> AbsolutePath(const std::string& option, const std::string& path) {
  if (path.empty()) return MustBe(option, path, "a path");
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(option, " ", path, ": ", error.message()));
  return absolute.lexically_normal().string();
}

absl::StatusOr<std::string> DirectoryPath(const std::string& option, const std::string& path) {
  absl::StatusOr<std::string> absolute = AbsolutePath(option, path);
  if (absolute.ok() && absolute->size() > 1 && absolute->back() == '/') absolute->pop_back();
  return absolute;
}

absl::StatusOr<uint64_t> Bytes(const std::string& option, const std::string& text) {
  absl::string_view digits = text;
  int shift = 0;
  if (!digits.empty()) {
    constexpr absl::string_view kUnits = "kmg";
    const size_t unit = kUnits.find(absl::ascii_tolower(static_cast<unsigned char>(digits.back())));
    if (unit != absl::string_view::npos) {
      shift = 10 * (static_cast<int>(unit) + 1);
      digits.remove_suffix(1);
    }
  }
  uint64_t value = 0;
  const bool digit = !digits.empty() && absl::ascii_isdigit(static_cast<unsigned char>(digits.front()));
  if (!digit || !absl::SimpleAtoi(digits, &value) || value == 0 || value > (~uint64_t{0} >> shift)) {
    return MustBe(option, text, "a number of bytes, or one with k, m or g behind it");
  }
  return value << shift;
}

absl::StatusOr<v1::Rlimit> Ulimit(const std::string& option, const std::string& text) {
  constexpr char kForm[] = "TYPE=SOFT[:HARD], as in nofile=1024:4096";
  const auto pair = KeyAndValue(option, text);
  if (!pair.ok()) return MustBe(option, text, kForm);
  v1::Rlimit limit;
  limit.set_type(absl::AsciiStrToUpper(pair->first));
  if (!absl::StartsWith(limit.type(), "RLIMIT_")) limit.set_type(absl::StrCat("RLIMIT_", limit.type()));
  if (std::find(std::begin(kRlimitNames), std::end(kRlimitNames), limit.type()) == std::end(kRlimitNames)) {
    return absl::InvalidArgumentError(absl::StrCat(option, " \"", text, "\": there is no limit ", pair->first));
  }
  const size_t colon = pair->second.find(':');
  const std::string soft = pair->second.substr(0, colon);
  const std::string hard = colon == std::string::npos ? soft : pair->second.substr(colon + 1);
  uint64_t soft_value = 0;
  uint64_t hard_value = 0;
  if (!ParseLimit(soft, &soft_value) || !ParseLimit(hard, &hard_value)) return MustBe(option, text, kForm);
  limit.set_soft(soft_value);
  limit.set_hard(hard_value);
  return limit;
}

absl::StatusOr<std::string> Capability(const std::string& option, const std::string& text) {
  std::string name = absl::AsciiStrToUpper(text);
  if (!absl::StartsWith(name, "CAP_")) name = absl::StrCat("CAP_", name);
  if (std::find(std::begin(kCapabilityNames), std::end(kCapabilityNames), name) == std::end(kCapabilityNames)) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " \"", text, "\": there is no such capability; they are like NET_ADMIN, or ALL"));
  }
  return name;
}

}  // namespace vcd::client
