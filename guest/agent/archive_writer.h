// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_ARCHIVE_WRITER_H_
#define VCD_GUEST_AGENT_ARCHIVE_WRITER_H_

#include <string>

#include "guest/agent/outcome.h"

namespace vcd::guest {

struct PackOptions {
  bool follow_symlink = false;  // Of the path itself: what it leads to. Links below are packed as links.
  bool stat_only = false;       // The entry of the path alone, without content.
};

// Packs a file, or a directory with all that is in it, to `out`, as a tar stream whose first entry is the path's last
// name;
// "./" for the root directory. Whatever happens to the files meanwhile, the stream is well formed, and nothing outside
// of `path` is read: links are never followed on the way down. What disappears meanwhile is left out, and so are
// sockets and the content of /proc, /sys and the like unless they are asked for. ERROR_CODE_NOT_FOUND when there is no
// such path. Blocks.
Outcome PackArchive(const std::string& path, const PackOptions& options, int out);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_ARCHIVE_WRITER_H_
