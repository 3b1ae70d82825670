// SPDX-License-Identifier: Apache-2.0
#include "core/device/host_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/ascii.h"

namespace vcd {

std::string ReadKernelLine(const std::string& path) {
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return std::string(absl::StripTrailingAsciiWhitespace(text));
}

std::vector<std::string> ListKernelDirectory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator next(path, error), end; !error && next != end; next.increment(error)) {
    names.push_back(next->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace vcd
