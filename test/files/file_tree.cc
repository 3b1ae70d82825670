// SPDX-License-Identifier: Apache-2.0
#include "test/files/file_tree.h"

#include <cstdio>
#include <fstream>
#include <sstream>

namespace vcd {

void PutFile(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string FileText(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string ShellOutput(const std::string& command) {
  FILE* const pipe = ::popen(("exec 2>&1; " + command).c_str(), "r");
  if (pipe == nullptr) return "<no shell>";
  std::string output;
  char buffer[4096];
  while (const size_t got = ::fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, got);
  const int status = ::pclose(pipe);
  return status == 0 ? output : output + "<exit " + std::to_string(status) + ">";
}

std::string TreeListing(const std::string& directory) {
  // The size of a directory is the file system's own affair.
  return ShellOutput("cd '" + directory +
                     "' && find . -mindepth 1 -printf '%p %y %m %n %T@ %l %s\n' | sort | "
                     "sed 's/ d \\(.*\\) [0-9]*$/ d \\1/'");
}

}  // namespace vcd
