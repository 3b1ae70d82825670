// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_FILE_IO_H_
#define VCD_GUEST_AGENT_FILE_IO_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "guest/agent/outcome.h"

namespace vcd::guest {

// The first `limit` bytes of `path`; empty when there is no such file or it cannot be read.
std::string ReadFileOrEmpty(const std::string& path, size_t limit = size_t{1} << 20);

// Writes `content` in one write(2), as files of the kernel want it.
Outcome WriteFile(const std::string& path, std::string_view content);

// Makes `path` and what is missing of its parents, with `mode`. Fine if it is a directory already.
Outcome MakeDirectories(const std::string& path, mode_t mode = 0755);

// The names in a directory, without "." and ".."; empty when there is none.
std::vector<std::string> ListDirectory(const std::string& path);

// Without spaces and line ends at its end: the form of most files in /sys.
std::string ReadLine(const std::string& path);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_FILE_IO_H_
