// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_DIRECTORY_H_
#define VCD_CORE_CNI_CNI_DIRECTORY_H_

#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "core/cni/cni_configuration.h"
#include "core/os/filesystem.h"
#include "core/os/mutex.h"

namespace vcd {

// The networks of the host: files `*.conf`, `*.conflist` and `*.json` of a directory, in the order of their names, and
// one that is built in unless a file has its name. Read anew for each question, so nobody has to be told of changes.
// A file that is wrong is passed over, and told once in the log. Thread-safe; calls block on the disk.
class CniDirectory {
 public:
  // The file system outlives this.
  CniDirectory(Filesystem& filesystem, std::string directory, std::optional<CniConfiguration> built_in)
      : filesystem_(filesystem), directory_(std::move(directory)), built_in_(std::move(built_in)) {}

  // The network of that name; without a name the first. kNotFound, listing the known ones and the files that are wrong;
  // the error of the file when it is that one which has the name.
  absl::StatusOr<CniConfiguration> Find(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void TellOnce(const std::string& problem) ABSL_LOCKS_EXCLUDED(mu_);

  Filesystem& filesystem_;
  const std::string directory_;
  const std::optional<CniConfiguration> built_in_;
  Mutex mu_;
  std::set<std::string> told_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_DIRECTORY_H_
