// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_MOCK_MOCK_HYPERVISOR_H_
#define VCD_BACKENDS_HYPERVISOR_MOCK_MOCK_HYPERVISOR_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "backends/mock/mock_control.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/io_thread.h"

namespace vcd {

// Pretended machines, without a process, KVM, QEMU or root: for those who write orchestrators, for demos and for tests
// of the daemon. A machine "runs" until it is stopped. All there is of it is a small file in its run directory, by
// which the next daemon adopts it. It has no agent channel: its guest is played by the agent `mock`, or there is none.
// What is plugged in is only noted. What goes wrong is MockControl's to say. Thread-safe. `io` outlives it and every
// machine.
class MockHypervisor : public Hypervisor {
 public:
  // Without a control nothing ever goes wrong.
  explicit MockHypervisor(IoThread& io, std::shared_ptr<MockControl> control = nullptr);
  ~MockHypervisor() override;

  HypervisorCapabilities capabilities() const override;
  absl::StatusOr<v1::HypervisorConfig> Resolve(const v1::HypervisorConfig& config,
                                               const CallContext& context) const override;
  absl::Status CheckAnnotations(const std::map<std::string, std::string>& annotations) const override;
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Boot(const VmSpec& spec, const CallContext& context) override;
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const VmSpec& spec, const state::v1::VirtualMachine& record,
                                                        const CallContext& context) override;
  absl::Status Reap(const std::string& run_dir, const CallContext& context) override;

 private:
  class Machine;
  class Handle;
  class Registry;

  // Once the annotations are known.
  absl::StatusOr<std::shared_ptr<Machine>> BootAnnotated(const VmSpec& spec, const CallContext& context);
  absl::StatusOr<std::shared_ptr<Machine>> AdoptAnnotated(const VmSpec& spec, const state::v1::VirtualMachine& record,
                                                          const CallContext& context);

  IoThread& io_;
  const std::shared_ptr<MockControl> control_;
  const std::shared_ptr<Registry> registry_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_MOCK_MOCK_HYPERVISOR_H_
