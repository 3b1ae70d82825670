// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_RUN_FILE_H_
#define VCD_CORE_OS_RUN_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"

// Small files of a running machine: sockets' names, logs, markers. What must survive a crash of the host goes through
// Filesystem instead.
namespace vcd {

// Removes a file or a socket's name; OK when there is none.
absl::Status RemoveFile(const std::string& path);

// A file to append to, mode 0600, made when it is not there. Symbolic links are not followed.
absl::StatusOr<UniqueFd> OpenLogFile(const std::string& path);

// The last `max_bytes` of a file as text for people: whole lines where there are any, without control characters.
// Empty when it cannot be read. Does not block, also not on a FIFO.
std::string ReadLogTail(const std::string& path, size_t max_bytes);

}  // namespace vcd

#endif  // VCD_CORE_OS_RUN_FILE_H_
