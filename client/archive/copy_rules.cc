// SPDX-License-Identifier: Apache-2.0
#include "client/archive/copy_rules.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace vcd::client {

absl::StatusOr<CopyPlace> ParseCopyPlace(const std::string& text) {
  if (text.empty()) return absl::InvalidArgumentError("an empty path names nothing; the current directory is .");
  CopyPlace place;
  const size_t colon = text.find(':');
  if (text[0] == '/' || text[0] == '.' || text == "-" || colon == std::string::npos) {
    place.path = text;
    return place;
  }
  place.pod_id = text.substr(0, colon);
  place.path = text.substr(colon + 1);
  const size_t second = place.path.find(':');
  if (!absl::StartsWith(place.path, "/") && second != std::string::npos) {
    place.container_id = place.path.substr(0, second);
    place.path.erase(0, second + 1);
  }
  if (place.pod_id.empty() || place.path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(text, ": not POD:PATH, nor POD:CONTAINER:PATH; a file of that name is ./", text));
  }
  if (place.path[0] != '/') place.path = "/" + place.path;
  return place;
}

bool NamesContent(const std::string& path) {
  const std::string plain = WithoutSlashes(path);
  return plain == "." || absl::EndsWith(plain, "/.");
}

std::string WithoutSlashes(const std::string& path) {
  const size_t last = path.find_last_not_of('/');
  return last == std::string::npos ? path.substr(0, 1) : path.substr(0, last + 1);
}

std::string LastName(const std::string& path) {
  const std::string plain = WithoutSlashes(path);
  return plain.substr(plain.rfind('/') + 1);
}

std::string DirectoryOf(const std::string& path) {
  const std::string plain = WithoutSlashes(path);
  const size_t slash = plain.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : plain.substr(0, slash);
}

absl::StatusOr<CopyTarget> ChooseTarget(const std::string& source, PlaceKind source_kind,
                                        const std::string& destination, PlaceKind destination_kind) {
  const bool from_directory = source_kind == PlaceKind::kDirectory;
  if (destination_kind == PlaceKind::kDirectory) {
    if (from_directory && NamesContent(source)) return CopyTarget{destination, ""};
    const std::string name = LastName(source);
    // The root directory, or one that is known by ".." alone, has no name to be copied under.
    if (name.empty() || name == "." || name == "..") return CopyTarget{destination, ""};
    return CopyTarget{destination, name};
  }
  if (destination_kind == PlaceKind::kFile) {
    if (from_directory) {
      return absl::FailedPreconditionError(
          absl::StrCat(destination, ": is a file, and ", source, " a directory; name a directory"));
    }
    return CopyTarget{DirectoryOf(destination), LastName(destination)};
  }
  if (!from_directory && (absl::EndsWith(destination, "/") || NamesContent(destination))) {
    return absl::NotFoundError(absl::StrCat(destination, ": there is no such directory"));
  }
  return CopyTarget{DirectoryOf(destination), LastName(destination)};
}

std::optional<std::string> Renamed(const std::string& entry_name, const std::string& name) {
  absl::string_view rest = entry_name;
  while (absl::ConsumePrefix(&rest, "/")) {
  }
  const size_t slash = rest.find('/');
  rest.remove_prefix(slash == absl::string_view::npos ? rest.size() : slash + 1);
  while (absl::ConsumePrefix(&rest, "/")) {
  }
  if (rest.empty()) return name.empty() ? std::optional<std::string>() : name;
  return name.empty() ? std::string(rest) : absl::StrCat(name, "/", rest);
}

}  // namespace vcd::client
