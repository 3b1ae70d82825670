// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_EXIT_NOTICE_H_
#define VCD_CORE_HYPERVISOR_EXIT_NOTICE_H_

#include <functional>
#include <memory>
#include <string>

#include "core/os/io_thread.h"

namespace vcd {

// The rules of VirtualMachine::OnExit, for machines that are not a process: one callback, run once on the I/O thread
// when the end is told, also when that was before the callback came. Thread-safe; `io` outlives it.
class ExitNotice {
 public:
  explicit ExitNotice(IoThread& io);
  // Takes the callback back, and waits for one that runs. Not to be destroyed from its callback.
  ~ExitNotice();
  ExitNotice(const ExitNotice&) = delete;
  ExitNotice& operator=(const ExitNotice&) = delete;

  // Replaces the callback; null takes it back. Afterwards the old one neither runs nor will.
  void OnExit(std::function<void(const std::string& reason)> callback);

  // Tells the end; only the first call counts. Does not block, so that it may be called under a lock.
  void Tell(const std::string& reason);

 private:
  struct State;
  void Deliver();
  IoThread& io_;
  std::shared_ptr<State> state_;
};

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_EXIT_NOTICE_H_
