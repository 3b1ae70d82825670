// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_MACHINE_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_MACHINE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/guest_memory.h"
#include "backends/hypervisor/qemu/pci_slots.h"
#include "backends/hypervisor/qemu/qemu_confinement.h"
#include "backends/hypervisor/qemu/qemu_console.h"
#include "backends/hypervisor/qemu/qemu_disks.h"
#include "backends/hypervisor/qemu/qemu_image.h"
#include "backends/hypervisor/qemu/qemu_pci_devices.h"
#include "backends/hypervisor/qemu/qemu_shares.h"
#include "backends/hypervisor/qemu/qemu_size.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/hypervisor/exit_notice.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"
#include "core/os/supervised_process.h"

namespace vcd {

// A QEMU process, the two QMP conversations with it, and its console: commands go over `ctl`; `mon` tells what happens
// to it and why it ends. As every VirtualMachine it leaves QEMU running when it is destroyed. `io` outlives it.
class QemuMachine : public VirtualMachine {
 public:
  struct Options {
    std::string run_dir;
    std::string pod_id;
    std::string accelerator;
    std::string virtiofsd_path;
    uint32_t first_uid = 0;  // QemuConfinement::Place.
    std::string cgroup;
    uint32_t max_console_bytes = 0;
    std::shared_ptr<QemuConfinement> confinement;
    std::string machine_type;
    std::string disk_driver;
    uint32_t hotplug_slots = 0;
    GuestMemory memory;
    uint32_t max_memory_mib = 0;
    int memory_fd = -1;  // Number under which QEMU has its memory, if vcd made it.
  };

  // Connects to a QEMU that listens in its run directory. The process stays with `process` on failure, running.
  static absl::StatusOr<std::unique_ptr<QemuMachine>> Connect(IoThread& io, Options options,
                                                              std::shared_ptr<SupervisedProcess> process,
                                                              const CallContext& context);
  ~QemuMachine() override;

  // Makes of a QEMU that waits for it what the image is, standing still, with the disks that it had. `inherited_fd` is
  // its state.
  absl::Status LoadImage(int inherited_fd, const std::vector<state::v1::BlockDevice>& disks,
                         const QemuImage::Machine& image, const CallContext& context);

  // Takes over what an earlier daemon plugged in.
  absl::Status AdoptDevices(const state::v1::VirtualMachine& record, const CallContext& context);

  void GiveTo(const std::string& pod_id) override ABSL_LOCKS_EXCLUDED(mu_);
  state::v1::VirtualMachine Record() const override;
  absl::StatusOr<UniqueFd> ConnectAgent(const CallContext& context) override;
  absl::Status Pause(const CallContext& context) override;
  absl::Status Resume(const CallContext& context) override;
  absl::StatusOr<DiskAddress> AttachDisk(const DiskSpec& disk, const CallContext& context) override;
  absl::Status DetachDisk(const std::string& id, const CallContext& context) override;
  absl::StatusOr<SharedPath> ShareDirectory(const ShareSpec& share, const CallContext& context) override;
  absl::Status UnshareDirectory(const std::string& tag, const CallContext& context) override;
  absl::StatusOr<VmSize> Resize(const VmSize& size, const CallContext& context) override;
  absl::Status AttachHostDevice(const std::string& id, const std::string& pci_address,
                                const CallContext& context) override;
  absl::Status DetachHostDevice(const std::string& id, const CallContext& context) override;
  absl::Status AttachNic(NicSpec nic, const CallContext& context) override;
  absl::Status DetachNic(const std::string& id, const CallContext& context) override;
  absl::Status SaveImage(const std::string& directory, const CallContext& context) override;
  absl::Status Stop(StopMode mode, const CallContext& context) override;
  void OnExit(std::function<void(const std::string& reason)> callback) override;
  void OnTrouble(std::function<void(const VmTrouble& trouble)> callback) override;
  std::string ConsoleTail() const override;

 private:
  QemuMachine(IoThread& io, Options options, std::shared_ptr<SupervisedProcess> process);

  absl::Status ConnectMonitors(const CallContext& context);
  absl::Status ConnectConsole();
  void Watch();
  // On the I/O thread.
  void HandleEvent(const QmpEvent& event);
  void Trouble(VmTrouble::Kind kind, const std::string& what);
  // The end is told when the process, what it said over `mon` and what the guest said on its console are at their end.
  void Ended(bool QemuMachine::*part);
  std::string ExitReason() ABSL_LOCKS_EXCLUDED(mu_);
  // Gives it the network interfaces that the machine of an image had, with nothing behind them.
  absl::Status RestoreNics(const std::vector<SavedNic>& nics, const CallContext& context);
  // What an image of it is to say of it. kFailedPrecondition when none can be made.
  absl::StatusOr<QemuImage::Machine> DescribeForImage(const CallContext& context);
  // What the pod's control group on the host shall let the guest have.
  absl::Status AllowMemory(uint32_t memory_mib) const;
  void FreeAgentPort() const;
  // Another pod may have it from now on.
  void TakeVfioGroup(const std::string& group);
  // For messages.
  std::string pod_id() const ABSL_LOCKS_EXCLUDED(mu_);
  // Makes of an error of a machine that has ended one that says so.
  absl::Status Explained(const absl::Status& status);
  // Quit, SIGTERM; OK when it has ended.
  absl::Status AskToEnd(const CallContext& context);

  IoThread& io_;
  const Options options_;
  ExitNotice notice_;
  const std::shared_ptr<SupervisedProcess> process_;

  std::atomic<bool> stood_still_{false};  // At some time, so that a connection may have ended then.

  mutable Mutex mu_;
  std::string pod_id_ ABSL_GUARDED_BY(mu_);
  bool monitor_closed_ ABSL_GUARDED_BY(mu_) = true;
  bool console_closed_ ABSL_GUARDED_BY(mu_) = true;
  bool process_ended_ ABSL_GUARDED_BY(mu_) = false;
  std::string end_ ABSL_GUARDED_BY(mu_);  // Its reason, once all of it is known.
  CondVar ended_;
  std::string shutdown_reason_ ABSL_GUARDED_BY(mu_);  // QEMU's word: "guest-reset".

  // Held while the callback runs, so that taking it back waits for it.
  Mutex trouble_mu_;
  std::function<void(const VmTrouble& trouble)> on_trouble_ ABSL_GUARDED_BY(trouble_mu_);

  std::unique_ptr<QmpClient> control_;
  PciSlots slots_;
  std::unique_ptr<QemuDisks> disks_;
  std::unique_ptr<QemuPciDevices> pci_devices_;
  std::unique_ptr<QemuSize> size_;
  std::unique_ptr<QemuShares> shares_;
  // After what their handlers use: destroyed before it.
  std::unique_ptr<QemuConsole> console_;
  std::unique_ptr<QmpClient> monitor_;
};

// What is to be found of why the QEMU of that run directory ended, beside how: the host's want of memory, the guest's
// panic, its own last words. Empty when nothing is.
std::string TracesOfTheEnd(const std::string& run_dir, const QemuConfinement& confinement);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_MACHINE_H_
