// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_TESTING_TEMPORARY_FILES_H_
#define VCD_GUEST_AGENT_TESTING_TEMPORARY_FILES_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace vcd::guest {

// A directory that stands for one of the kernel's, removed at the end.
class TemporaryFiles {
 public:
  TemporaryFiles() {
    const char* base = getenv("TEST_TMPDIR");
    std::string pattern = std::string(base == nullptr ? "/tmp" : base) + "/files-XXXXXX";
    path_ = mkdtemp(pattern.data()) == nullptr ? "" : pattern;
  }
  ~TemporaryFiles() { std::filesystem::remove_all(path_); }
  TemporaryFiles(const TemporaryFiles&) = delete;
  TemporaryFiles& operator=(const TemporaryFiles&) = delete;

  const std::string& path() const { return path_; }

  void Put(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((std::filesystem::path(path_) / name).parent_path());
    std::ofstream(path_ + "/" + name, std::ios::binary) << content;
  }

  std::string Get(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(path_ + "/" + name, std::ios::binary).rdbuf();
    return content.str();
  }

 private:
  std::string path_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_TESTING_TEMPORARY_FILES_H_
