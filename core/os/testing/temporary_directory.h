// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_TESTING_TEMPORARY_DIRECTORY_H_
#define VCD_CORE_OS_TESTING_TEMPORARY_DIRECTORY_H_

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

namespace vcd {

// A directory of its own for a test, gone with all in it when the test ends. Its path is short enough for Unix sockets,
// which TEST_TMPDIR's is not.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& parent = "/tmp") : path_(parent + "/vcd-test-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
      std::perror("mkdtemp");
      std::abort();
    }
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_TESTING_TEMPORARY_DIRECTORY_H_
