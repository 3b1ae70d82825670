// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_PROGRAM_ANSWERS_H_
#define VCD_DAEMON_CHECK_PROGRAM_ANSWERS_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/check/host.h"

namespace vcd {

// What programs say of themselves, asked once for as long as they are the same files: QEMU's lists take a while. Errors
// are not remembered. One thread at a time.
class ProgramAnswers {
 public:
  absl::StatusOr<std::string> Ask(const Host& host, const std::vector<std::string>& argv, absl::Time deadline);

 private:
  // Device, inode, size and time of the last change of the program, and its arguments.
  using Key = std::tuple<dev_t, ino_t, off_t, int64_t, int64_t, std::vector<std::string>>;

  std::map<Key, std::string> answers_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_PROGRAM_ANSWERS_H_
