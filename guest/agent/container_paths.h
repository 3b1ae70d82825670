// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CONTAINER_PATHS_H_
#define VCD_GUEST_AGENT_CONTAINER_PATHS_H_

#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"

// Paths that a container's own files have a say in. The calling process has the container's root as its own; even so a
// symbolic link may lead out of it, through /proc/self/fd and its like. Here links are followed inside the root only,
// and those of /proc not at all.
namespace vcd::guest {

// Opens what is at `path`; not valid, with errno, if that fails.
UniqueFd OpenInContainer(const std::string& path, int flags);

// The directory at `path`, for mounting on it or entering it. Makes it and what is missing of its parents. Where a link
// leads to something that is missing, that is made.
OutcomeOr<UniqueFd> MakeDirectoryInContainer(const std::string& path);

// The same for an empty file.
OutcomeOr<UniqueFd> MakeFileInContainer(const std::string& path);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CONTAINER_PATHS_H_
