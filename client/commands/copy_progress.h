// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_COPY_PROGRESS_H_
#define VCD_CLIENT_COMMANDS_COPY_PROGRESS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace vcd::client {

// How much of a long copy is done, in one line of a terminal that goes away in the end. Says nothing in the first
// second, and nothing at all when `fd` is no terminal.
class CopyProgress {
 public:
  CopyProgress(int fd, bool quiet);
  ~CopyProgress() { Clear(); }

  void Add(uint64_t bytes);
  void Clear();

 private:
  const int fd_;
  const bool shown_;
  absl::Time next_;
  const absl::Time began_;
  uint64_t bytes_ = 0;
  bool dirty_ = false;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_COPY_PROGRESS_H_
