// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_HYPERVISOR_H_
#define VCD_CORE_HYPERVISOR_HYPERVISOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/cancellation.h"
#include "core/os/unique_fd.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// What a hypervisor can do; what it cannot answers kUnimplemented.
struct HypervisorCapabilities {
  bool agent_channel = false;      // ConnectAgent.
  bool disk_hotplug = false;       // AttachDisk, DetachDisk.
  bool directory_sharing = false;  // ShareDirectory, UnshareDirectory.
  bool pause = false;              // Pause, Resume.
  bool simulated_guest = false;    // Has no guest: an agent that plays one may.
};

// The machine that a pod asks for.
struct VmSpec {
  std::string pod_id;
  // An existing directory, private to this pod, for sockets and the console log. Named after the pod, so that what a
  // crashed daemon left can be found by it.
  std::string run_dir;
  // As Resolve returned it.
  v1::HypervisorConfig config;
  // The pod will want ShareDirectory, which some backends must know at boot.
  bool shared_memory = false;
  // Of the pod.
  std::map<std::string, std::string> annotations;
};

// A disk to give to a running machine. Always read-only.
struct DiskSpec {
  std::string id;    // Unique in the pod: `[a-z0-9-]+`.
  std::string path;  // Image file or block device on the host.
};

// Where the guest finds a disk: behind its one virtio-scsi controller.
struct ScsiAddress {
  uint32_t target = 0;
  uint32_t lun = 0;
};

enum class StopMode {
  kOrderly,  // Ask the VMM, then SIGTERM, then SIGKILL, each with a deadline.
  kForce,    // SIGKILL at once.
};

// A virtual machine that runs. It outlives the daemon on purpose: destroying this object releases the handle and leaves
// the machine running, to be adopted again; only Stop ends it. Thread-safe; calls may block until their context ends
// them, and none may be made on the I/O thread except OnExit and Record.
class VirtualMachine {
 public:
  virtual ~VirtualMachine() = default;

  // All that Adopt needs; changes with every attached disk or directory.
  virtual state::v1::VirtualMachine Record() const = 0;

  // A connected stream to the agent's port of the guest. Connects even before the guest has opened the port.
  virtual absl::StatusOr<UniqueFd> ConnectAgent(const CallContext& context) = 0;

  // Stops the vCPUs; OK when they are stopped.
  virtual absl::Status Pause(const CallContext& context) = 0;
  // Lets them go on; OK when they run.
  virtual absl::Status Resume(const CallContext& context) = 0;

  // Plugs a disk in. kAlreadyExists when the id is taken. Nothing stays behind on failure.
  virtual absl::StatusOr<ScsiAddress> AttachDisk(const DiskSpec& disk, const CallContext& context) = 0;
  // Unplugs it; OK when there is no such disk.
  virtual absl::Status DetachDisk(const std::string& id, const CallContext& context) = 0;

  // Makes a host directory mountable in the guest as virtiofs under `tag` (at most 36 bytes). kAlreadyExists when the
  // tag is taken. Nothing stays behind on failure.
  virtual absl::Status ShareDirectory(const std::string& tag, const std::string& host_path,
                                      const CallContext& context) = 0;
  // Takes it away; OK when there is no such tag.
  virtual absl::Status UnshareDirectory(const std::string& tag, const CallContext& context) = 0;

  // Ends the machine and its helper processes; returns when all of them are gone. OK when they are gone already. Works
  // also after the context's end: ending is never given up half way.
  virtual absl::Status Stop(StopMode mode, const CallContext& context) = 0;

  // Runs `callback` once on the I/O thread when the machine has ended, whoever ended it, also when that was before. The
  // reason is for people: "qemu exited with status 1: <its last words>". One callback; null takes it back.
  virtual void OnExit(std::function<void(const std::string& reason)> callback) = 0;

  // The end of what the guest wrote on its console, for error messages; may be empty.
  virtual std::string ConsoleTail() const = 0;
};

// Makes virtual machines. Thread-safe.
class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  virtual HypervisorCapabilities capabilities() const = 0;

  // `config` with every default filled in and every path checked; done once, when the pod is created. kInvalidArgument
  // (InvalidField, `hypervisor_config.…`) naming the field, kUnimplemented for what this backend never does.
  virtual absl::StatusOr<v1::HypervisorConfig> Resolve(const v1::HypervisorConfig& config) const = 0;

  // Whether a pod may have these annotations, asked when they are given: kInvalidArgument (InvalidField) naming one
  // that is for this backend, and wrong.
  virtual absl::Status CheckAnnotations(const std::map<std::string, std::string>&) const { return absl::OkStatus(); }

  // Starts a machine; returns when the VMM answers and the guest boots. Nothing stays behind on failure.
  // kFailedPrecondition with VM_BOOT_FAILED and the VMM's own words when it refuses.
  virtual absl::StatusOr<std::unique_ptr<VirtualMachine>> Boot(const VmSpec& spec, const CallContext& context) = 0;

  // Takes over a machine that an earlier daemon started. kNotFound when it has ended. Devices that the record does not
  // name are unplugged: the earlier daemon ended while it plugged them in.
  virtual absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const VmSpec& spec,
                                                                const state::v1::VirtualMachine& record,
                                                                const CallContext& context) = 0;

  // Ends every process that belongs to the pod, found by its run directory, whether or not a record tells of it, and
  // removes the sockets and logs that this backend made there. OK when there is none.
  virtual absl::Status Reap(const std::string& run_dir, const CallContext& context) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_HYPERVISOR_H_
