// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_MOUNT_OBJECTS_H_
#define VCD_GUEST_AGENT_MOUNT_OBJECTS_H_

#include <string>
#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"

// Mounts as descriptors: made first, put in their place last, by descriptor too. No path is looked up on the way that a
// container could have changed, and nothing has to be seen of /proc.
namespace vcd::guest {

struct FilesystemRequest {
  std::string type;
  std::string source;
  // As for mount(8): `ro`, `nosuid`, `noexec`, `rprivate`, … and those of the type, such as `size=1m`.
  std::vector<std::string> options;
  bool readonly = false;  // The file system itself, not just this view of it.
};

// A new file system, nowhere yet. ERROR_CODE_INVALID, with the kernel's words, for an option that it does not take.
OutcomeOr<UniqueFd> MakeFilesystem(const FilesystemRequest& request);

// Gives a mount, and all below it, the options of mount(8) that are not of a file system: `ro`, `noexec`, `rslave`, …
Outcome SetMountOptions(const UniqueFd& mount, const std::vector<std::string>& options, const std::string& name);

// What is at `place`, with all that is mounted below it, once more and nowhere yet.
OutcomeOr<UniqueFd> CloneMount(const UniqueFd& place, const std::string& name);

// Makes a mount, and all below it, read-only. Other places that show the same files stay writable.
Outcome MakeReadOnly(const UniqueFd& mount, const std::string& name);

// Puts a mount at `place`, known as `name`.
Outcome AttachMount(const UniqueFd& mount, const UniqueFd& place, const std::string& name);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_MOUNT_OBJECTS_H_
