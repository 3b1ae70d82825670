// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CHECKPOINT_CHECKPOINT_DIRECTORY_H_
#define VCD_CORE_CHECKPOINT_CHECKPOINT_DIRECTORY_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A status with CHECKPOINT_UNFIT for the checkpoint in that directory.
absl::Status CheckpointUnfit(absl::StatusCode code, const std::string& directory, absl::string_view why);

// The directory of a checkpoint that is read, in which anybody may have put anything: no symbolic link in it is
// followed, nothing but a regular file is opened, and nothing is waited for. The path to it may have links.
// Thread-safe.
class CheckpointDirectory {
 public:
  // kNotFound when there is nothing; CHECKPOINT_UNFIT when that is no directory.
  static absl::StatusOr<CheckpointDirectory> Open(const std::string& path);

  struct File {
    UniqueFd fd;  // To be read.
    uint64_t bytes = 0;
    uint64_t room_bytes = 0;  // On the disk.
  };
  // A file by its name below the directory. kNotFound when there is nothing of that name; CHECKPOINT_UNFIT, with name
  // and cause, when there is something else.
  absl::StatusOr<File> OpenFile(const std::string& name) const;

  // All of a file. CHECKPOINT_UNFIT when it is larger than that.
  absl::StatusOr<std::string> Read(const std::string& name, uint64_t most_bytes) const;

  // That a directory in it has no entry that is not among `known` as `<name>/<entry>`, or is not there:
  // CHECKPOINT_UNFIT otherwise, naming it.
  absl::Status CheckHoldsOnly(const std::string& name, const std::set<std::string>& known) const;

  // kDataLoss with CHECKPOINT_UNFIT: `what` of the file of that name.
  absl::Status Damaged(absl::string_view name, absl::string_view what) const;

 private:
  CheckpointDirectory(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  // As open(2) with those flags, of what is below the directory.
  absl::StatusOr<UniqueFd> OpenBelow(const std::string& name, int flags) const;

  std::string path_;
  UniqueFd fd_;
};

}  // namespace vcd

#endif  // VCD_CORE_CHECKPOINT_CHECKPOINT_DIRECTORY_H_
