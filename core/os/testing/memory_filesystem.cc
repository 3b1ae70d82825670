// SPDX-License-Identifier: Apache-2.0
#include "core/os/testing/memory_filesystem.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status Failed(int error_number, absl::string_view step, const std::string& path) {
  return PosixError(error_number, absl::StrCat(step, " ", path));
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

MemoryFilesystem::MemoryFilesystem() : root_(std::make_shared<Node>()) { root_->is_directory = true; }

absl::StatusOr<std::shared_ptr<MemoryFilesystem::Node>> MemoryFilesystem::Find(const std::string& path,
                                                                               absl::string_view step) const {
  std::shared_ptr<Node> node = root_;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(path, '/', absl::SkipEmpty()))) {
    if (!node->is_directory) return Failed(ENOTDIR, step, path);
    const auto entry = node->entries.find(name);
    if (entry == node->entries.end()) return Failed(ENOENT, step, path);
    node = entry->second;
  }
  return node;
}

absl::StatusOr<std::shared_ptr<MemoryFilesystem::Node>> MemoryFilesystem::FindParent(const std::string& path,
                                                                                     absl::string_view step) const {
  absl::StatusOr<std::shared_ptr<Node>> parent = Find(ParentDirectory(path), step);
  if (!parent.ok()) return absl::IsNotFound(parent.status()) ? Failed(ENOENT, step, path) : parent.status();
  if (!(*parent)->is_directory) return Failed(ENOTDIR, step, path);
  return parent;
}

absl::StatusOr<std::string> MemoryFilesystem::ReadFile(const std::string& path) {
  MutexLock lock(&mu_);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Find(path, "open"));
  if (node->is_directory) return Failed(EISDIR, "read", path);
  return node->bytes;
}

absl::StatusOr<FileKind> MemoryFilesystem::Look(const std::string& path) {
  MutexLock lock(&mu_);
  const absl::StatusOr<std::shared_ptr<Node>> node = Find(path, "look at");
  if (!node.ok()) return FileKind::kNone;
  return (*node)->is_directory ? FileKind::kDirectory : FileKind::kFile;
}

absl::StatusOr<std::vector<std::string>> MemoryFilesystem::ListDirectory(const std::string& path) {
  MutexLock lock(&mu_);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Find(path, "list"));
  if (!node->is_directory) return Failed(ENOTDIR, "list", path);
  std::vector<std::string> names;
  for (const auto& [name, child] : node->entries) names.push_back(name);
  return names;
}

absl::Status MemoryFilesystem::CreateDirectory(const std::string& path) {
  MutexLock lock(&mu_);
  absl::StatusOr<std::shared_ptr<Node>> there = Find(path, "create directory");
  if (there.ok()) return (*there)->is_directory ? absl::OkStatus() : Failed(ENOTDIR, "create directory", path);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> parent, FindParent(path, "create directory"));
  auto node = std::make_shared<Node>();
  node->is_directory = true;
  parent->entries[NameOf(path)] = std::move(node);
  return absl::OkStatus();
}

absl::Status MemoryFilesystem::WriteFile(const std::string& path, const std::string& bytes) {
  MutexLock lock(&mu_);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> parent, FindParent(path, "create"));
  std::shared_ptr<Node>& node = parent->entries[NameOf(path)];
  if (node == nullptr) node = std::make_shared<Node>();
  if (node->is_directory) return Failed(EISDIR, "create", path);
  node->bytes = bytes;
  return absl::OkStatus();
}

absl::Status MemoryFilesystem::SyncFile(const std::string& path) {
  MutexLock lock(&mu_);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Find(path, "open"));
  node->synced_bytes = node->bytes;
  return absl::OkStatus();
}

absl::Status MemoryFilesystem::Rename(const std::string& from, const std::string& to) {
  const std::string step = absl::StrCat("rename ", from, " to");
  MutexLock lock(&mu_);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> from_parent, FindParent(from, step));
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Find(from, step));
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> to_parent, FindParent(to, step));
  const auto there = to_parent->entries.find(NameOf(to));
  if (there != to_parent->entries.end() && there->second != node) {
    if (there->second->is_directory != node->is_directory) {
      return Failed(node->is_directory ? ENOTDIR : EISDIR, step, to);
    }
    if (!there->second->entries.empty()) return Failed(ENOTEMPTY, step, to);
  }
  from_parent->entries.erase(NameOf(from));
  to_parent->entries[NameOf(to)] = node;
  return absl::OkStatus();
}

absl::Status MemoryFilesystem::SyncDirectory(const std::string& path) {
  MutexLock lock(&mu_);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Find(path, "open"));
  if (!node->is_directory) return Failed(ENOTDIR, "open", path);
  node->synced_entries = node->entries;
  return absl::OkStatus();
}

absl::Status MemoryFilesystem::RemoveFile(const std::string& path) {
  MutexLock lock(&mu_);
  absl::StatusOr<std::shared_ptr<Node>> node = Find(path, "remove");
  if (!node.ok()) return absl::IsNotFound(node.status()) ? absl::OkStatus() : node.status();
  if ((*node)->is_directory) return Failed(EISDIR, "remove", path);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> parent, FindParent(path, "remove"));
  parent->entries.erase(NameOf(path));
  return absl::OkStatus();
}

absl::Status MemoryFilesystem::RemoveTree(const std::string& path) {
  MutexLock lock(&mu_);
  absl::StatusOr<std::shared_ptr<Node>> node = Find(path, "remove");
  if (!node.ok()) return absl::IsNotFound(node.status()) ? absl::OkStatus() : node.status();
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Node> parent, FindParent(path, "remove"));
  parent->entries.erase(NameOf(path));
  return absl::OkStatus();
}

void MemoryFilesystem::DropUnsynced() {
  MutexLock lock(&mu_);
  Revert(*root_);
}

void MemoryFilesystem::Revert(Node& node) {
  node.bytes = node.synced_bytes;
  node.entries = node.synced_entries;
  for (const auto& [name, child] : node.entries) Revert(*child);
}

}  // namespace vcd
