// SPDX-License-Identifier: Apache-2.0
#include "core/asset/asset_annotations.h"

#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/asset/asset_digests.h"
#include "core/asset/asset_fields.h"
#include "core/model/field_checks.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using Annotations = std::map<std::string, std::string>;

constexpr char kHashType[] = "AssetHashType";

std::string PathKey(const AssetField& asset) { return absl::StrCat(kAssetAnnotationPrefix, asset.annotation, "Path"); }
std::string HashKey(const AssetField& asset) { return absl::StrCat(kAssetAnnotationPrefix, asset.annotation, "Hash"); }

// The value; null when it says nothing.
const std::string* Find(const Annotations& annotations, const std::string& key) {
  const auto found = annotations.find(key);
  return found == annotations.end() || found->second.empty() ? nullptr : &found->second;
}

std::string KnownKeys() {
  std::string names = kHashType;
  for (const AssetField& asset : AssetFields()) {
    absl::StrAppend(&names, ", ", asset.annotation, "Path, ", asset.annotation, "Hash");
  }
  return names;
}

absl::Status CheckOne(const std::string& key, const std::string& value) {
  const std::string field = absl::StrCat("annotations[\"", key, "\"]");
  if (key == absl::StrCat(kAssetAnnotationPrefix, kHashType)) {
    if (value.empty() || value == "sha512") return absl::OkStatus();
    return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(value), "\" is unknown; known is sha512"));
  }
  for (const AssetField& asset : AssetFields()) {
    if (key == PathKey(asset)) return CheckOptionalPath(field, value);
    if (key == HashKey(asset)) return value.empty() ? absl::OkStatus() : CheckDigest(field, value);
  }
  return InvalidField(
      field, absl::StrCat("there is no such annotation; known after ", kAssetAnnotationPrefix, " are ", KnownKeys()));
}

}  // namespace

absl::Status CheckAssetAnnotations(const Annotations& annotations) {
  const std::string prefix = kAssetAnnotationPrefix;
  for (auto it = annotations.lower_bound(prefix); it != annotations.end() && absl::StartsWith(it->first, prefix);
       ++it) {
    if (it->first.find('.', prefix.size()) != std::string::npos) continue;
    VCD_RETURN_IF_ERROR(CheckOne(it->first, it->second));
  }
  return absl::OkStatus();
}

void ApplyAssetAnnotations(const Annotations& annotations, v1::HypervisorConfig* config) {
  for (const AssetField& asset : AssetFields()) {
    if (const std::string* path = Find(annotations, PathKey(asset))) *(config->*asset.mutable_path)() = *path;
    if (const std::string* hash = Find(annotations, HashKey(asset))) {
      *(config->mutable_sha512()->*asset.mutable_digest)() = *hash;
    }
  }
}

absl::Status NameAssetAnnotation(const absl::Status& status, const Annotations& annotations) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  if (!detail.has_value()) return status;
  const auto field = detail->metadata.find("field");
  if (field == detail->metadata.end()) return status;
  for (const AssetField& asset : AssetFields()) {
    std::string key;
    if (field->second == absl::StrCat("hypervisor_config.", asset.name, "_path")) key = PathKey(asset);
    if (field->second == absl::StrCat("hypervisor_config.sha512.", asset.name)) key = HashKey(asset);
    if (key.empty() || Find(annotations, key) == nullptr) continue;
    return WithMetadata(Annotate(status, absl::StrCat("annotation ", key)), "annotation", key);
  }
  return status;
}

}  // namespace vcd
