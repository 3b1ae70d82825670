// SPDX-License-Identifier: Apache-2.0
#include "core/hook/oci_state.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kOciVersion[] = "1.0.2";

// The members that are the same whatever the pid is go after it, so that nothing in them is taken for its place.
std::string Text(const OciState& state, const std::string& pid) {
  Json rest;
  rest["bundle"] = state.bundle;
  rest["annotations"] = Json(state.annotations);
  const auto text = [](const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
  return absl::StrCat("{\"ociVersion\":\"", kOciVersion, "\",\"pid\":", pid, ",\"id\":", text(state.id),
                      ",\"status\":", text(state.status), ",", text(rest).substr(1));
}

}  // namespace

std::string OciStateJson(const OciState& state) { return Text(state, absl::StrCat(state.pid)); }

std::string OciStateTemplate(const OciState& state) { return Text(state, "{pid}"); }

}  // namespace vcd
