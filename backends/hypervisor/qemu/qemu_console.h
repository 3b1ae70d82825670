// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONSOLE_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONSOLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/os/io_thread.h"
#include "core/os/unique_fd.h"

namespace vcd {

// Keeps what the guest of one QEMU writes on its console: reads the console's socket on the I/O thread into the console
// log of the run directory. A guest that writes without end is slowed down; what it writes while nobody reads QEMU
// drops. Destroying it only ends the reading. `io` outlives it.
class QemuConsole {
 public:
  // Takes a socket that is connected to the console. `on_closed` runs once on the I/O thread when QEMU has closed it
  // and all is read; not when this is destroyed first.
  QemuConsole(IoThread& io, UniqueFd socket, const std::string& run_dir, uint64_t max_bytes,
              std::function<void()> on_closed);
  // Waits for a callback that runs, unless on the I/O thread.
  ~QemuConsole();
  QemuConsole(const QemuConsole&) = delete;
  QemuConsole& operator=(const QemuConsole&) = delete;

 private:
  class Reading;
  const std::shared_ptr<Reading> reading_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONSOLE_H_
