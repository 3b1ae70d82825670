// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_directory.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/log/logger.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Problems that are remembered as told; more are told again.
constexpr size_t kMaxTold = 256;

bool IsConfigurationFile(const std::string& name) {
  return absl::EndsWith(name, ".conf") || absl::EndsWith(name, ".conflist") || absl::EndsWith(name, ".json");
}

// The name that a file gives although something else in it is wrong.
std::string ClaimedName(const std::string& text) {
  const absl::StatusOr<CniJson> document = ParseCniObject(text, "");
  if (!document.ok()) return "";
  return CniString(*document, "name", "").value_or("");
}

}  // namespace

absl::StatusOr<CniConfiguration> CniDirectory::Find(const std::string& name) {
  absl::StatusOr<std::vector<std::string>> files = filesystem_.ListDirectory(directory_);
  if (absl::IsNotFound(files.status())) files = std::vector<std::string>();
  VCD_RETURN_IF_ERROR(files.status());
  std::vector<std::string> known, wrong;
  for (const std::string& file : *files) {
    if (!IsConfigurationFile(file)) continue;
    const std::string path = absl::StrCat(directory_, "/", file);
    const absl::StatusOr<std::string> text = filesystem_.ReadFile(path);
    absl::StatusOr<CniConfiguration> configuration =
        text.ok() ? ParseCniConfiguration(*text, path) : absl::StatusOr<CniConfiguration>(text.status());
    if (!configuration.ok()) {
      TellOnce(std::string(configuration.status().message()));
      // Another of that name, the built-in one say, is not what was meant.
      if (text.ok() && !name.empty() && ClaimedName(*text) == name) return configuration.status();
      wrong.emplace_back(configuration.status().message());
      continue;
    }
    if (name.empty() || configuration->name == name) return configuration;
    known.push_back(configuration->name);
  }
  if (built_in_.has_value()) {
    if (name.empty() || built_in_->name == name) return *built_in_;
    known.push_back(built_in_->name);
  }
  std::string problem = name.empty()
                            ? absl::StrCat("there is no network in ", directory_)
                            : absl::StrCat("there is no network `", name, "` in ", directory_,
                                           "; known are: ", known.empty() ? "none" : absl::StrJoin(known, ", "));
  if (!wrong.empty()) absl::StrAppend(&problem, "; not to be read: ", absl::StrJoin(wrong, "; "));
  return absl::NotFoundError(problem);
}

void CniDirectory::TellOnce(const std::string& problem) {
  {
    MutexLock lock(&mu_);
    if (told_.size() >= kMaxTold) told_.clear();
    if (!told_.insert(problem).second) return;
  }
  LogWarning("", absl::StrCat("CNI configuration passed over: ", problem));
}

}  // namespace vcd
