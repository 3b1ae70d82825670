// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_ARCHIVE_COPY_RULES_H_
#define VCD_CLIENT_ARCHIVE_COPY_RULES_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace vcd::client {

// A source or destination of `cp`: a path of this machine, or of a container.
struct CopyPlace {
  std::string pod_id;        // Empty: of this machine.
  std::string container_id;  // Empty: the pod's only one, or main.
  std::string path;          // In a container absolute; "-" is this machine's standard input or output.

  bool is_remote() const { return !pod_id.empty(); }
};

// `POD:PATH`, `POD:CONTAINER:PATH`, or a local path: one that begins with a slash or a point, or has no colon. A path
// in a container counts from its root.
absl::StatusOr<CopyPlace> ParseCopyPlace(const std::string& text);

// Whether a path names what is in a directory, "DIR/." or "DIR/./", and not the directory itself.
bool NamesContent(const std::string& path);

// Without slashes at its end; "/" stays.
std::string WithoutSlashes(const std::string& path);

// The part after the last slash, and the part before it: "." or "/" when there is none.
std::string LastName(const std::string& path);
std::string DirectoryOf(const std::string& path);

// What a place is, links followed.
enum class PlaceKind { kMissing, kFile, kDirectory };

// Where the first entry of an archive goes.
struct CopyTarget {
  std::string directory;  // Must be there.
  std::string name;       // Empty: what is in the source goes into the directory itself.
};

// The rules of `cp -r` and of Docker: into a directory that is there, under the source's name, or its content alone
// when the source ends in "/."; in the place of a file; and under the destination's name when nothing is there, which
// must not be asked to be a directory by a slash unless the source is one. `kMissing` destinations need their
// directory: who uses the target says so when it is not there.
absl::StatusOr<CopyTarget> ChooseTarget(const std::string& source, PlaceKind source_kind,
                                        const std::string& destination, PlaceKind destination_kind);

// A name of an archive with its first part, that of the source, replaced by `name`; nothing for what is the directory
// itself. "web/x" becomes "site/x", or "x" when `name` is empty.
std::optional<std::string> Renamed(const std::string& entry_name, const std::string& name);

}  // namespace vcd::client

#endif  // VCD_CLIENT_ARCHIVE_COPY_RULES_H_
