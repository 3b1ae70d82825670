// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POSIX_OUTPUT_H_
#define VCD_CLIENT_POSIX_OUTPUT_H_

#include <string_view>

namespace vcd::client {

// Writes all of `data` to `fd`, blocking or not, and waits while nobody takes it. Returns 0 or an errno: EPIPE when the
// reader is gone, ECANCELED when `stop_fd` (-1: none) became readable first. SIGPIPE must be ignored.
int WriteFully(int fd, std::string_view data, int stop_fd = -1);

}  // namespace vcd::client

#endif  // VCD_CLIENT_POSIX_OUTPUT_H_
