// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_json.h"

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

constexpr int kMaxDepth = 64;
// What a record puts around a configuration or a result.
constexpr int kRecordDepth = 16;

absl::StatusOr<CniJson> Parse(const std::string& text, const std::string& what, int max_depth) {
  bool too_deep = false;
  const CniJson::parser_callback_t shallow = [&](int depth, CniJson::parse_event_t, CniJson&) {
    too_deep = too_deep || depth > max_depth;
    return depth <= max_depth;
  };
  CniJson json = CniJson::parse(text, shallow, /*allow_exceptions=*/false);
  if (too_deep) return absl::InvalidArgumentError(absl::StrCat(what, ": nested deeper than ", max_depth));
  if (json.is_discarded()) return absl::InvalidArgumentError(absl::StrCat(what, ": is not JSON"));
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(what, ": is no JSON object"));
  return json;
}

}  // namespace

absl::StatusOr<CniJson> ParseCniObject(const std::string& text, const std::string& what) {
  if (text.size() > kMaxCniBytes) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": more than ", kMaxCniBytes, " bytes"));
  }
  return Parse(text, what, kMaxDepth);
}

absl::StatusOr<CniJson> ParseCniRecord(const std::string& text, const std::string& what) {
  return Parse(text, what, kMaxDepth + kRecordDepth);
}

absl::StatusOr<std::string> CniString(const CniJson& object, const std::string& key, const std::string& what) {
  const auto member = object.find(key);
  if (member == object.end() || member->is_null()) return std::string();
  if (!member->is_string()) return absl::InvalidArgumentError(absl::StrCat(what, ": `", key, "` must be a string"));
  return member->get<std::string>();
}

std::string CniText(const CniJson& json) { return json.dump(-1, ' ', false, CniJson::error_handler_t::replace); }

}  // namespace vcd
