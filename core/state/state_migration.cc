// SPDX-License-Identifier: Apache-2.0
#include "core/state/state_migration.h"

#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

using Json = nlohmann::ordered_json;

void From1To2(Json& document) {
  const auto intent = document.find("intent");
  if (intent == document.end()) return;
  Json under_way = {{"intent", *intent}};
  document.erase(intent);
  document["under_way"] = std::move(under_way);
}

// Element n turns format n + 1 into format n + 2.
constexpr void (*kSteps[])(Json&) = {From1To2};
static_assert(std::size(kSteps) == kStateFormatVersion - 1);

}  // namespace

absl::Status MigrateRecord(Json& document) {
  const auto found = document.find("format_version");
  const bool tells = found != document.end() && found->is_number_integer();
  const int64_t version = tells ? found->get<int64_t>() : 0;
  if (version < 1 || version > kStateFormatVersion) {
    return absl::DataLossError(
        absl::StrCat("has format version ", version, "; this release reads 1 to ", kStateFormatVersion,
                     version > kStateFormatVersion ? ": a newer vcd wrote it; run that one" : ""));
  }
  for (int64_t step = version - 1; step < kStateFormatVersion - 1; ++step) kSteps[step](document);
  document["format_version"] = kStateFormatVersion;
  return absl::OkStatus();
}

}  // namespace vcd
