// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_JSON_H_
#define VCD_CORE_CNI_CNI_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace vcd {

// Keeps members in the order of the document.
using CniJson = nlohmann::ordered_json;

// More than any configuration or result; what a plugin prints is kept up to here.
inline constexpr size_t kMaxCniBytes = 1 << 20;

// An object, not nested so deep that it could hurt who walks it. kInvalidArgument in the parser's words, naming `what`.
absl::StatusOr<CniJson> ParseCniObject(const std::string& text, const std::string& what);

// The same of a record that vcd wrote, which holds any number of them and they as deep as they come.
absl::StatusOr<CniJson> ParseCniRecord(const std::string& text, const std::string& what);

// A member that is a string, empty when there is none. kInvalidArgument naming the member in `what` otherwise.
absl::StatusOr<std::string> CniString(const CniJson& object, const std::string& key, const std::string& what);

// One line of it, whatever bytes it holds.
std::string CniText(const CniJson& json);

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_JSON_H_
