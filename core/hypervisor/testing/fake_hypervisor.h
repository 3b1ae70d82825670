// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_TESTING_FAKE_HYPERVISOR_H_
#define VCD_CORE_HYPERVISOR_TESTING_FAKE_HYPERVISOR_H_

#include <memory>
#include <string>
#include <vector>

#include "core/hypervisor/hypervisor.h"
#include "core/os/io_thread.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A hypervisor in memory for tests of what stands on top of one: it keeps the contract, does all at once, and fails or
// hangs where it is told to. Its machines live in this object, so that a test of a daemon's restart keeps it while it
// makes everything else anew. Thread-safe. `io` must outlive it and every machine handle.
//
// A step is named as the method is: "Resolve", "Boot", "Adopt", "Reap", "ConnectAgent", "Pause", "Resume",
// "AttachDisk", "DetachDisk", "ShareDirectory", "UnshareDirectory", "AttachHostDevice", "DetachHostDevice",
// "AttachNic", "DetachNic", "SaveImage", "Stop". An image is a file that says of which configuration it is, and of
// which disks.
class FakeHypervisor : public Hypervisor {
 public:
  explicit FakeHypervisor(IoThread& io);
  ~FakeHypervisor() override;

  // The n-th call of the step from now on (1 is the next) fails with `error` and does nothing.
  void FailNth(const std::string& step, int n, absl::Status error);
  // The n-th call of the step from now on blocks until its context ends and fails with its status, having done nothing.
  // Stop and Reap, which may not be given up, then do their work and succeed.
  void HangNth(const std::string& step, int n);
  // Forgets the failures and hangs that have not happened.
  void ForgetFaults();
  // Blocks until some call hangs in the step; false when there is none after ten seconds.
  bool WaitUntilHanging(const std::string& step);

  // What was called, in order: "Boot pod-1", "AttachDisk pod-1 rootfs", "Stop pod-1 orderly". Reap names the run
  // directory. Calls that failed count too.
  std::vector<std::string> calls() const;
  // Pod ids of the machines that run, sorted: what a test that cleans up leaves empty.
  std::vector<std::string> live_machines() const;
  // Ids of the disks, tags of the directories in a running machine, sorted.
  std::vector<std::string> disks(const std::string& pod_id) const;
  std::vector<std::string> directories(const std::string& pod_id) const;
  // Addresses on the host of the devices that are passed through to it, sorted.
  std::vector<std::string> host_devices(const std::string& pod_id) const;
  // Hardware addresses of its network interfaces, sorted.
  std::vector<std::string> nics(const std::string& pod_id) const;
  // The network namespace that it was booted in.
  std::string netns_path(const std::string& pod_id) const;
  bool paused(const std::string& pod_id) const;

  // Ends a running machine as a crash of the VMM would. False when there is none.
  bool Crash(const std::string& pod_id, const std::string& reason);
  // Tells the holder of the pod's machine that this happened to it.
  void Trouble(const std::string& pod_id, const VmTrouble& trouble);
  // What ConsoleTail returns from now on, for all machines.
  void set_console_tail(const std::string& text);
  void set_capabilities(const HypervisorCapabilities& capabilities);
  // The guest's end of the last stream that ConnectAgent made for the pod; not valid when there is none or it was
  // taken.
  UniqueFd TakeAgentPeer(const std::string& pod_id);

  HypervisorCapabilities capabilities() const override;
  absl::StatusOr<v1::HypervisorConfig> Resolve(const v1::HypervisorConfig& config,
                                               const CallContext& context) const override;
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Boot(const VmSpec& spec, const CallContext& context) override;
  absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const VmSpec& spec, const state::v1::VirtualMachine& record,
                                                        const CallContext& context) override;
  absl::Status Reap(const std::string& run_dir, const CallContext& context) override;
  absl::StatusOr<std::string> ImageKey(const VmSpec& spec, const CallContext& context) const override;
  absl::Status CheckImage(const VmSpec& spec, const CallContext& context) const override;

 private:
  class World;
  class Handle;
  struct Machine;
  // Shared with the handles.
  std::shared_ptr<World> world_;
};

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_TESTING_FAKE_HYPERVISOR_H_
