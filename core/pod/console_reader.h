// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONSOLE_READER_H_
#define VCD_CORE_POD_CONSOLE_READER_H_

#include <functional>
#include <memory>
#include <string>

#include "core/os/io_thread.h"
#include "core/pod/process_output.h"

namespace vcd {

// Reads the console log of a run directory (core/hypervisor/console_log.h). Who follows looks again every tenth of a
// second, and gets at most 64 KiB each time: a guest that floods its console takes from its own log, not from the
// daemon.
class ConsoleReader : public OutputReader {
 public:
  // `more_comes` says whether there is, or will be, a machine; asked on any thread.
  ConsoleReader(IoThread& io, const std::string& run_dir, const ConsoleSelection& selection,
                std::function<bool()> more_comes);
  ~ConsoleReader() override;

  void Next(Callback callback) override;

 private:
  class State;
  const std::shared_ptr<State> state_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_CONSOLE_READER_H_
