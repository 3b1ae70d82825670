// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_PROCESS_INPUT_H_
#define VCD_CORE_POD_PROCESS_INPUT_H_

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace vcd {

// The right to write to a process's standard input, which one has at a time; destroying it gives it back. One caller at
// a time.
class InputWriter {
 public:
  virtual ~InputWriter() = default;

  // As GuestSession::WriteInput. `done` may run when the writer is gone.
  virtual void Write(std::string data, bool close, std::function<void(absl::Status)> done) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_PROCESS_INPUT_H_
