// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_HYPERVISOR_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_HYPERVISOR_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backends/hypervisor/qemu/accelerator.h"
#include "backends/hypervisor/qemu/kvm_probe.h"
#include "backends/hypervisor/qemu/qemu_confinement.h"
#include "backends/hypervisor/qemu/qemu_image.h"
#include "backends/hypervisor/qemu/qemu_machine.h"
#include "backends/hypervisor/qemu/qemu_options.h"
#include "core/asset/file_digest_cache.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/io_thread.h"

namespace vcd {

// Machines that are QEMU processes, one each: started cold, spoken to over QMP, supervised by pidfd. `io` outlives it
// and every machine.
class QemuHypervisor : public Hypervisor {
 public:
  // Probes the host, unless an accelerator is configured, which may take two seconds. Fails only on an unknown one
  // (kInvalidArgument, `qemu.accelerator`): paths are checked by each pod.
  static absl::StatusOr<std::unique_ptr<QemuHypervisor>> Create(IoThread& io, QemuOptions options,
                                                                const KvmPaths& kvm_paths = KvmPaths());

  // What machines run under that do not ask for something else.
  const AcceleratorChoice& accelerator() const { return accelerator_; }

  HypervisorCapabilities capabilities() const override;
  absl::StatusOr<v1::HypervisorConfig> Resolve(const v1::HypervisorConfig& config,
                                               const CallContext& context) const override;
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Boot(const VmSpec& spec, const CallContext& context) override;
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const VmSpec& spec, const state::v1::VirtualMachine& record,
                                                        const CallContext& context) override;
  absl::Status Reap(const std::string& run_dir, const CallContext& context) override;
  absl::StatusOr<std::string> ImageKey(const VmSpec& spec, const CallContext& context) const override;
  absl::Status CheckImage(const VmSpec& spec, const CallContext& context) const override;
  void ForgetImage(const std::string& image_dir) override;

 private:
  absl::Status CheckAssets(const VmSpec& spec, const CallContext& context) const;
  // What the machine goes on from; null when it boots.
  absl::StatusOr<std::shared_ptr<const QemuImage>> ImageOf(const VmSpec& spec, const CallContext& context);

  QemuHypervisor(IoThread& io, QemuOptions options, AcceleratorChoice accelerator, KvmPaths kvm_paths);

  QemuMachine::Options MachineOptions(const VmSpec& spec, const state::v1::VirtualMachine& record) const;
  // Once no process of the machine is left.
  absl::Status GiveBack(const std::string& run_dir);

  IoThread& io_;
  const QemuOptions options_;
  const AcceleratorChoice accelerator_;
  const KvmPaths kvm_paths_;
  // Machines may be given back after this.
  const std::shared_ptr<QemuConfinement> confinement_;
  // Of the files that pods want checked.
  mutable FileDigestCache digests_;
  QemuImages images_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_HYPERVISOR_H_
