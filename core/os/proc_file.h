// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_PROC_FILE_H_
#define VCD_CORE_OS_PROC_FILE_H_

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/os/unique_fd.h"

namespace vcd {

// Whole content of a small file of /proc; false when it cannot be read. Not by a stream: those throw when the process
// ends between open and read (ESRCH).
inline bool ReadProcFile(const std::string& path, std::string* content) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return false;
  content->clear();
  char buffer[4096];
  while (true) {
    const ssize_t size = ::read(file.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    if (size == 0) return true;
    content->append(buffer, static_cast<size_t>(size));
  }
}

}  // namespace vcd

#endif  // VCD_CORE_OS_PROC_FILE_H_
