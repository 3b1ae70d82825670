// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_ARCHIVE_READER_H_
#define VCD_GUEST_AGENT_ARCHIVE_READER_H_

#include <string>

#include "guest/agent/outcome.h"

namespace vcd::guest {

struct UnpackOptions {
  bool keep_owner = false;  // As the archive says; otherwise all belongs to the user that unpacks.
};

// Unpacks a tar stream below the directory `path`, over what is there: files replace files, directories join
// directories. The archive may be anybody's, and others may change the directory meanwhile: nothing outside of it is
// made, changed or linked, as every step is taken from the directory's descriptor and may not leave it, by ".." or by a
// symbolic link. Device nodes are refused. ERROR_CODE_NOT_FOUND when there is no such directory, ERROR_CODE_INVALID
// when the archive is to blame; what was unpacked before stays. Blocks.
Outcome UnpackArchive(const std::string& path, const UnpackOptions& options, int in);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_ARCHIVE_READER_H_
