// SPDX-License-Identifier: Apache-2.0
#include "client/commands/copy_progress.h"

#include <unistd.h>

#include <cstdio>

#include "absl/time/clock.h"
#include "client/posix/output.h"

namespace vcd::client {

CopyProgress::CopyProgress(int fd, bool quiet)
    : fd_(fd), shown_(!quiet && ::isatty(fd) == 1), next_(absl::Now() + absl::Seconds(1)), began_(absl::Now()) {}

void CopyProgress::Add(uint64_t bytes) {
  bytes_ += bytes;
  if (!shown_) return;
  const absl::Time now = absl::Now();
  if (now < next_) return;
  next_ = now + absl::Milliseconds(500);
  char line[80];
  const double mib = static_cast<double>(bytes_) / (1 << 20);
  std::snprintf(line, sizeof(line), "\r\033[K%.1f MiB, %.1f MiB/s", mib, mib / absl::ToDoubleSeconds(now - began_));
  (void)WriteFully(fd_, line);
  dirty_ = true;
}

void CopyProgress::Clear() {
  if (dirty_) (void)WriteFully(fd_, "\r\033[K");
  dirty_ = false;
}

}  // namespace vcd::client
