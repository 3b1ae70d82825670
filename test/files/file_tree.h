// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_FILES_FILE_TREE_H_
#define VCD_TEST_FILES_FILE_TREE_H_

#include <string>

namespace vcd {

// Files of the host, for tests of what copies, packs and unpacks them. All block.

// Writes a file anew.
void PutFile(const std::string& path, const std::string& text);

// All of a file; empty where there is none.
std::string FileText(const std::string& path);

// What a shell command prints, on both streams; with "<exit N>" behind it, N a wait status, when it fails.
std::string ShellOutput(const std::string& command);

// A line for each file below a directory, sorted, with all that a copy must keep but the content: type, mode, links,
// time, target and size.
std::string TreeListing(const std::string& directory);

}  // namespace vcd

#endif  // VCD_TEST_FILES_FILE_TREE_H_
