// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_ARCHIVE_TAR_FILES_H_
#define VCD_CLIENT_ARCHIVE_TAR_FILES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Local files to tar streams and back, by libarchive.
namespace vcd::client {

struct PackOptions {
  std::string name;     // What the archive calls the path; empty: what is in the directory, without itself.
  bool follow = false;  // A symbolic link at `path` is what it leads to. Links below are always packed as links.
};

// Names of device nodes, which are not copied. At most 10.
using SkippedNames = std::vector<std::string>;

// Packs a file, or a directory with all that is in it, and returns what was skipped. Sockets are left out. Stops at the
// sink's first error, and returns it.
absl::StatusOr<SkippedNames> PackFiles(const std::string& path, const PackOptions& options,
                                       const std::function<absl::Status(absl::string_view)>& sink);

// The next bytes of an archive; none at its end.
using ArchiveBytes = std::function<absl::StatusOr<std::string>()>;

struct UnpackResult {
  uint64_t entries = 0;
  SkippedNames skipped;
};

// Unpacks below `directory`, with the first part of each name replaced by `name` (Renamed). Nothing is written outside
// of the directory, whatever the archive says. Changes the process's working directory meanwhile.
absl::StatusOr<UnpackResult> UnpackFiles(const std::string& directory, const std::string& name,
                                         const ArchiveBytes& bytes);

// Whether the first entry of an archive is a directory.
absl::StatusOr<bool> BeginsWithDirectory(const std::string& archive);

}  // namespace vcd::client

#endif  // VCD_CLIENT_ARCHIVE_TAR_FILES_H_
