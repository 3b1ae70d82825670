// SPDX-License-Identifier: Apache-2.0
#include "core/confinement/uid_blocks.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/os/run_file.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Who has which block. A directory that is not there holds none.
absl::StatusOr<std::map<uint32_t, std::string>> ReadOwners(const std::string& directory) {
  std::map<uint32_t, std::string> owners;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    uint32_t block = 0;
    if (!absl::SimpleAtoi(entry->path().filename().string(), &block)) continue;
    std::error_code unreadable;
    owners[block] = std::filesystem::read_symlink(entry->path(), unreadable).string();
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return PosixError(error.value(), absl::StrCat("read ", directory));
  }
  return owners;
}

bool IsGone(const std::string& run_dir) {
  struct stat info;
  return lstat(run_dir.c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

}  // namespace

std::string UidBlocks::LinkOf(uint32_t block) const { return absl::StrCat(directory_, "/", block); }

absl::StatusOr<uint32_t> UidBlocks::Take(const std::string& run_dir) {
  MutexLock lock(&mu_);
  if (mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) {
    return PosixError(errno, absl::StrCat("make ", directory_));
  }
  VCD_ASSIGN_OR_RETURN(const auto owners, ReadOwners(directory_));
  if (const uint32_t first_uid = FindIn(owners, run_dir); first_uid != 0) return first_uid;
  for (uint32_t block = 0; block < blocks_; ++block) {
    const auto taken = owners.find(block);
    if (taken != owners.end()) {
      if (!IsGone(taken->second)) continue;
      VCD_RETURN_IF_ERROR(RemoveFile(LinkOf(block)));
    }
    if (symlink(run_dir.c_str(), LinkOf(block).c_str()) == 0) return first_uid_ + block * kBlockSize;
    if (errno != EEXIST) return PosixError(errno, absl::StrCat("reserve user ids by ", LinkOf(block)));
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("all ", blocks_, " blocks of user ids from ", first_uid_, " on are taken (see ", directory_,
                   "); stop a pod, or raise [confinement] uid_count of vcd's configuration"));
}

absl::StatusOr<uint32_t> UidBlocks::Find(const std::string& run_dir) {
  MutexLock lock(&mu_);
  VCD_ASSIGN_OR_RETURN(const auto owners, ReadOwners(directory_));
  return FindIn(owners, run_dir);
}

uint32_t UidBlocks::FindIn(const std::map<uint32_t, std::string>& owners, const std::string& run_dir) const {
  for (const auto& [block, owner] : owners) {
    if (owner == run_dir && block < blocks_) return first_uid_ + block * kBlockSize;
  }
  return 0;
}

absl::Status UidBlocks::GiveBack(const std::string& run_dir) {
  MutexLock lock(&mu_);
  VCD_ASSIGN_OR_RETURN(const auto owners, ReadOwners(directory_));
  for (const auto& [block, owner] : owners) {
    if (owner == run_dir) VCD_RETURN_IF_ERROR(RemoveFile(LinkOf(block)));
  }
  return absl::OkStatus();
}

}  // namespace vcd
