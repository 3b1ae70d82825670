// SPDX-License-Identifier: Apache-2.0
#include "test/recovery/mortal_filesystem.h"

#include <functional>

#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status Effect(CrashPoint& life, const std::string& step, const std::function<absl::Status()>& effect) {
  VCD_RETURN_IF_ERROR(life.Reach(absl::StrCat("before ", step)));
  const absl::Status status = effect();
  VCD_RETURN_IF_ERROR(life.Reach(absl::StrCat("after ", step)));
  return status;
}

absl::Status Alive(const CrashPoint& life) {
  return life.dead() ? absl::UnavailableError("the daemon is dead") : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> MortalFilesystem::ReadFile(const std::string& path) {
  VCD_RETURN_IF_ERROR(Alive(life_));
  return inner_.ReadFile(path);
}
absl::StatusOr<FileKind> MortalFilesystem::Look(const std::string& path) {
  VCD_RETURN_IF_ERROR(Alive(life_));
  return inner_.Look(path);
}
absl::StatusOr<std::vector<std::string>> MortalFilesystem::ListDirectory(const std::string& path) {
  VCD_RETURN_IF_ERROR(Alive(life_));
  return inner_.ListDirectory(path);
}
absl::Status MortalFilesystem::CreateDirectory(const std::string& path) {
  return Effect(life_, absl::StrCat("CreateDirectory ", path), [&] { return inner_.CreateDirectory(path); });
}
absl::Status MortalFilesystem::WriteFile(const std::string& path, const std::string& bytes) {
  return Effect(life_, absl::StrCat("WriteFile ", path), [&]() -> absl::Status {
    VCD_RETURN_IF_ERROR(inner_.WriteFile(path, bytes.substr(0, bytes.size() / 2)));
    VCD_RETURN_IF_ERROR(life_.Reach(absl::StrCat("half way through WriteFile ", path)));
    return inner_.WriteFile(path, bytes);
  });
}
absl::Status MortalFilesystem::SyncFile(const std::string& path) {
  return Effect(life_, absl::StrCat("SyncFile ", path), [&] { return inner_.SyncFile(path); });
}
absl::Status MortalFilesystem::Rename(const std::string& from, const std::string& to) {
  return Effect(life_, absl::StrCat("Rename to ", to), [&] { return inner_.Rename(from, to); });
}
absl::Status MortalFilesystem::SyncDirectory(const std::string& path) {
  return Effect(life_, absl::StrCat("SyncDirectory ", path), [&] { return inner_.SyncDirectory(path); });
}
absl::Status MortalFilesystem::RemoveFile(const std::string& path) {
  return Effect(life_, absl::StrCat("RemoveFile ", path), [&] { return inner_.RemoveFile(path); });
}
absl::Status MortalFilesystem::RemoveTree(const std::string& path) {
  return Effect(life_, absl::StrCat("RemoveTree ", path), [&] { return inner_.RemoveTree(path); });
}

}  // namespace vcd
