// SPDX-License-Identifier: Apache-2.0
#include "core/template/template_store.h"

#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

std::string InfoFile(const std::string& directory) { return directory + "/template.json"; }

// "<key>.<time>"
bool IsOurs(const std::string& name) {
  const size_t dot = name.find('.');
  if (dot == 0 || dot == std::string::npos || dot + 1 == name.size()) return false;
  return name.find_first_not_of("0123456789abcdef") == dot &&
         name.find_first_not_of("0123456789", dot + 1) == name.npos;
}

// The files of an image, and how long they are.
absl::StatusOr<json> FilesOf(const std::string& directory) {
  json files = json::object();
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    files[entry.path().filename().string()] = entry.file_size(error);
    if (error) break;
  }
  if (error) return PosixError(error.value(), absl::StrCat("look into ", directory));
  return files;
}

// kDataLoss for one that has not all that it had when it was completed. Older templates do not tell.
absl::Status CheckFiles(const std::string& directory, const json& stored) {
  const auto told = stored.find("files");
  if (told == stored.end() || !told->is_object()) return absl::OkStatus();
  for (const auto& [name, bytes] : told->items()) {
    std::error_code error;
    const uint64_t now = std::filesystem::file_size(absl::StrCat(directory, "/", name), error);
    if (error) return absl::DataLossError(absl::StrCat(directory, "/", name, ": ", error.message()));
    if (bytes == now) continue;
    return absl::DataLossError(absl::StrCat(directory, "/", name, ": has ", now, " bytes of ", bytes.dump()));
  }
  return absl::OkStatus();
}

// A member of the type that it is to have; otherwise nothing.
template <typename T>
T Member(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end()) return T();
  const bool fits = std::is_same_v<T, std::string> ? found->is_string() : found->is_number_unsigned();
  return fits ? found->template get<T>() : T();
}

}  // namespace

absl::StatusOr<TemplateInfo> TemplateStore::Read(const std::string& directory) {
  VCD_ASSIGN_OR_RETURN(const std::string text, filesystem_.ReadFile(InfoFile(directory)));
  const json stored = json::parse(text, nullptr, /*allow_exceptions=*/false);
  TemplateInfo info;
  info.key = Member<std::string>(stored, "key");
  info.trust_domain = Member<std::string>(stored, "trust_domain");
  if (info.key.empty() || info.trust_domain.empty()) {
    return absl::DataLossError(absl::StrCat(InfoFile(directory), ": tells of no template"));
  }
  info.vcpus = Member<uint32_t>(stored, "vcpus");
  info.memory_mib = Member<uint32_t>(stored, "memory_mib");
  info.kernel_path = Member<std::string>(stored, "kernel_path");
  info.machine_type = Member<std::string>(stored, "machine_type");
  info.created_at = absl::FromUnixSeconds(Member<int64_t>(stored, "created_at"));
  info.last_used_at = absl::InfinitePast();
  info.state = TemplateState::kReady;
  VCD_RETURN_IF_ERROR(CheckFiles(directory, stored));
  info.memory_bytes = SizeOf(directory);
  return info;
}

absl::StatusOr<std::vector<StoredTemplate>> TemplateStore::Load() {
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(root_));
  VCD_ASSIGN_OR_RETURN(const std::vector<std::string> names, filesystem_.ListDirectory(root_));
  std::vector<StoredTemplate> stored;
  for (const std::string& name : names) {
    const std::string directory = absl::StrCat(root_, "/", name);
    if (!IsOurs(name)) {
      LogWarning("", absl::StrCat("no template's, left alone: ", directory));
      continue;
    }
    absl::StatusOr<TemplateInfo> info = Read(directory);
    if (info.ok()) {
      stored.push_back({directory, *std::move(info)});
      continue;
    }
    LogInfo("", absl::StrCat("template removed, unfinished or damaged: ", info.status().message()));
    const absl::Status removed = Remove(directory);
    if (!removed.ok()) LogError("", std::string(removed.message()));
  }
  return stored;
}

absl::StatusOr<std::string> TemplateStore::Begin(const std::string& key) {
  const std::string directory = absl::StrCat(root_, "/", key, ".", absl::ToUnixMicros(absl::Now()));
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(root_));
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(directory));
  return directory;
}

absl::Status TemplateStore::Complete(const std::string& directory, const TemplateInfo& info) {
  VCD_ASSIGN_OR_RETURN(const json files, FilesOf(directory));
  const json stored = {{"files", files},
                       {"key", info.key},
                       {"trust_domain", info.trust_domain},
                       {"vcpus", info.vcpus},
                       {"memory_mib", info.memory_mib},
                       {"kernel_path", info.kernel_path},
                       {"machine_type", info.machine_type},
                       {"created_at", absl::ToUnixSeconds(info.created_at)}};
  const std::string text = stored.dump(2, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
  VCD_RETURN_IF_ERROR(filesystem_.ReplaceFile(InfoFile(directory), absl::StrCat(text, "\n")));
  return filesystem_.SyncDirectory(root_);
}

// What a crash leaves of one is either no template or an image that is found to be damaged.
absl::Status TemplateStore::Remove(const std::string& directory) { return filesystem_.RemoveTree(directory); }

uint64_t TemplateStore::SizeOf(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    struct stat status;
    if (stat(entry.path().c_str(), &status) == 0) bytes += uint64_t{512} * static_cast<uint64_t>(status.st_blocks);
  }
  return bytes;
}

}  // namespace vcd
