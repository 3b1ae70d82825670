// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/checkpoint_manifest.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/model/ids.h"
#include "core/state/seal.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr char kSha256[] = "sha256";
constexpr char kSha512[] = "sha512";

Json EncodeFiles(const std::vector<CheckpointFile>& files, const char* digest) {
  Json list = Json::array();
  for (const CheckpointFile& file : files) {
    list.push_back({{"path", file.path}, {"bytes", file.bytes}, {digest, file.digest}});
  }
  return list;
}

// Reads members of one object, and remembers whether all were there and of their kind.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  template <typename T>
  T Get(const char* name, bool (Json::*is_kind)() const noexcept) {
    const auto found = object_.is_object() ? object_.find(name) : object_.end();
    if (found == object_.end() || !((*found).*is_kind)()) {
      if (missing_.empty()) missing_ = name;
      return T();
    }
    return found->template get<T>();
  }
  std::string Text(const char* name) { return Get<std::string>(name, &Json::is_string); }

  absl::Status status() const {
    return missing_.empty() ? absl::OkStatus() : absl::DataLossError(absl::StrCat("has no good `", missing_, "`"));
  }

 private:
  const Json& object_;
  std::string missing_;
};

absl::StatusOr<std::vector<CheckpointFile>> DecodeFiles(const Json& manifest, const char* name, const char* digest) {
  std::vector<CheckpointFile> files;
  const auto list = manifest.find(name);
  if (list == manifest.end() || !list->is_array()) return absl::DataLossError(absl::StrCat("has no good `", name, "`"));
  std::set<std::string> paths;
  for (const Json& entry : *list) {
    Members members(entry);
    CheckpointFile file;
    file.path = members.Text("path");
    file.bytes = members.Get<uint64_t>("bytes", &Json::is_number_unsigned);
    file.digest = members.Text(digest);
    VCD_RETURN_IF_ERROR(members.status());
    if (!paths.insert(file.path).second) return absl::DataLossError(absl::StrCat("names ", file.path, " twice"));
    files.push_back(std::move(file));
  }
  return files;
}

// Nothing that leads out of the directory.
bool IsOwnFile(absl::string_view path) {
  if (path == "pod.json" || path == "record.json") return true;
  const size_t slash = path.find('/');
  if (slash == absl::string_view::npos || !IsValidId(path.substr(slash + 1))) return false;
  return path.substr(0, slash) == "image" || path.substr(0, slash) == "disks";
}

}  // namespace

std::string EncodeManifest(const CheckpointManifest& manifest) {
  const Json json = {{"format", kFormat},
                     {"id", manifest.id},
                     {"pod_id", manifest.pod_id},
                     {"vcd_version", manifest.vcd_version},
                     {"created_at", absl::FormatTime(absl::RFC3339_sec, manifest.created_at, absl::UTCTimeZone())},
                     {"image_key", manifest.image_key},
                     {"stopped", manifest.stopped},
                     {"files", EncodeFiles(manifest.files, kSha256)},
                     {"disks", EncodeFiles(manifest.disks, kSha512)}};
  return Seal(absl::StrCat(json.dump(1, ' ', false, Json::error_handler_t::replace), "\n"));
}

absl::StatusOr<CheckpointManifest> DecodeManifest(std::string text) {
  VCD_RETURN_IF_ERROR(Unseal(&text));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  Members members(json);
  const auto format = members.Get<uint64_t>("format", &Json::is_number_unsigned);
  VCD_RETURN_IF_ERROR(members.status());
  if (format > kFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat("is of format ", format, ", and this release reads up to ", kFormat, "; use a later vcd"));
  }
  CheckpointManifest manifest;
  manifest.id = members.Text("id");
  manifest.pod_id = members.Text("pod_id");
  manifest.vcd_version = members.Text("vcd_version");
  manifest.image_key = members.Text("image_key");
  manifest.stopped = members.Get<bool>("stopped", &Json::is_boolean);
  const std::string created_at = members.Text("created_at");
  VCD_RETURN_IF_ERROR(members.status());
  if (!IsValidId(manifest.pod_id)) return absl::DataLossError("has no good `pod_id`");
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_sec, created_at, &manifest.created_at, &error)) {
    return absl::DataLossError(absl::StrCat("has no good `created_at`: ", error));
  }
  VCD_ASSIGN_OR_RETURN(manifest.files, DecodeFiles(json, "files", kSha256));
  VCD_ASSIGN_OR_RETURN(manifest.disks, DecodeFiles(json, "disks", kSha512));
  for (const CheckpointFile& file : manifest.files) {
    if (!IsOwnFile(file.path))
      return absl::DataLossError(absl::StrCat("names ", file.path, ", which is no file of it"));
  }
  for (const CheckpointFile& disk : manifest.disks) {
    if (!absl::StartsWith(disk.path, "/")) return absl::DataLossError(absl::StrCat("names a disk ", disk.path));
  }
  return manifest;
}

}  // namespace vcd
