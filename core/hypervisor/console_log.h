// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_CONSOLE_LOG_H_
#define VCD_CORE_HYPERVISOR_CONSOLE_LOG_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/os/unique_fd.h"

// What a guest wrote on its console, in the run directory of its pod: console.log, and before it console.log.1. Each
// has half of what is kept; when the first is full it takes the other's place. The files stay when the machine has
// ended, until the next one's.
namespace vcd {

// Writes a console. One thread at a time.
class ConsoleLog {
 public:
  // Goes on where an earlier daemon stopped.
  ConsoleLog(const std::string& run_dir, uint64_t max_bytes);

  // Keeps them; of more than fits the end. A disk that is full loses them, as a console without a reader does.
  void Append(absl::string_view bytes);

 private:
  const std::string path_;
  const uint64_t file_bytes_;
  UniqueFd file_;
  uint64_t size_ = 0;
};

// Reads it from some place on, while it is written or not: in pieces, each at once. What has been dropped meanwhile is
// passed over. One thread at a time.
class ConsoleCursor {
 public:
  // At the last `tail_bytes`, or the beginning when that is 0.
  ConsoleCursor(const std::string& run_dir, uint64_t tail_bytes);

  // The next bytes; empty when there are no more for now.
  absl::StatusOr<std::string> Read(size_t max_bytes);

 private:
  // Opens what comes after the file that has been read; false when nothing does.
  absl::StatusOr<bool> OpenNext();

  const std::string path_;
  UniqueFd file_;
  ino_t inode_ = 0;
  uint64_t at_ = 0;
};

// The last of it as text for people, as ReadLogTail.
std::string ConsoleEnd(const std::string& run_dir, size_t max_bytes);

// Forgets it; OK when there is none.
absl::Status RemoveConsole(const std::string& run_dir);

// Moves it to another run directory, in place of the one there; OK when there is none.
absl::Status MoveConsole(const std::string& from_run_dir, const std::string& to_run_dir);

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_CONSOLE_LOG_H_
