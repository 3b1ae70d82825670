// SPDX-License-Identifier: Apache-2.0
#include "client/posix/output.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vcd::client {
namespace {

bool IsRegularFile(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

int WriteFully(int fd, std::string_view data, int stop_fd) {
  // A blocking write of more than PIPE_BUF bytes may hang in the middle although poll(2) said that there is room, and
  // then `stop_fd` could not end it. Files never hang that way.
  const size_t chunk = IsRegularFile(fd) ? data.size() : PIPE_BUF;
  while (!data.empty()) {
    pollfd polled[] = {{fd, POLLOUT, 0}, {stop_fd, POLLIN, 0}};
    if (::poll(polled, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (polled[1].revents != 0) return ECANCELED;
    const ssize_t n = ::write(fd, data.data(), std::min(chunk, data.size()));
    if (n >= 0) {
      data.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR && errno != EAGAIN) {
      return errno;
    }
  }
  return 0;
}

}  // namespace vcd::client
