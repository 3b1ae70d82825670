// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_MOCK_MOCK_HYPERVISOR_H_
#define VCD_BACKENDS_HYPERVISOR_MOCK_MOCK_HYPERVISOR_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/io_thread.h"

namespace vcd {

// What goes wrong, and how slowly, in a MockHypervisor.
struct MockOptions {
  absl::Duration boot_delay = absl::ZeroDuration();
  absl::Status boot_error;  // Every boot fails with it, after the delay, unless it is OK.
};

// Pretended machines, without a process, KVM, QEMU or root: for those who write orchestrators, for demos and for tests of
// the daemon. A machine "runs" until it is stopped. All there is of it is a small file in its run directory, by which the
// next daemon adopts it. It has no guest, so no agent channel; what is plugged in is only noted. Thread-safe. `io`
// outlives it and every machine.
class MockHypervisor : public Hypervisor {
 public:
  explicit MockHypervisor(IoThread& io, MockOptions options = MockOptions());
  ~MockHypervisor() override;

  // Ends a machine that this object booted or adopted, as a crash would. False when it knows none that runs.
  bool Crash(const std::string& pod_id);

  HypervisorCapabilities capabilities() const override;
  absl::StatusOr<v1::HypervisorConfig> Resolve(const v1::HypervisorConfig& config) const override;
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Boot(const VmSpec& spec, const CallContext& context) override;
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const VmSpec& spec, const state::v1::VirtualMachine& record,
                                                        const CallContext& context) override;
  absl::Status Reap(const std::string& run_dir, const CallContext& context) override;

 private:
  class Machine;
  class Handle;
  class Registry;

  IoThread& io_;
  const MockOptions options_;
  const std::shared_ptr<Registry> registry_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_MOCK_MOCK_HYPERVISOR_H_
