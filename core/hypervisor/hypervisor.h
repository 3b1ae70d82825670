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
#include "absl/strings/str_cat.h"
#include "core/hypervisor/nic.h"
#include "core/os/cancellation.h"
#include "core/os/unique_fd.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// What a hypervisor can do; what it cannot answers kUnimplemented.
struct HypervisorCapabilities {
  bool agent_channel = false;       // ConnectAgent.
  bool disk_hotplug = false;        // AttachDisk, DetachDisk.
  bool directory_sharing = false;   // ShareDirectory, UnshareDirectory.
  bool pause = false;               // Pause, Resume.
  bool resize = false;              // Resize.
  bool device_passthrough = false;  // AttachHostDevice, DetachHostDevice.
  bool nic_hotplug = false;         // AttachNic, DetachNic.
  bool images = false;              // ImageKey, SaveImage, VmSpec::image_dir.
  bool simulated_guest = false;     // Has no guest: an agent that plays one may.
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
  // The network namespace that the VMM runs in; empty: an empty one of its own, or vcd's where it cannot have that.
  std::string netns_path;
  // An image of a machine (VirtualMachine::SaveImage) that this one goes on from in place of a boot; empty boots.
  std::string image_dir;
  // Other machines go on from it too, so that it is kept in memory until ForgetImage, where none of them can change it.
  // Its pages are shared with them until somebody writes to them; one with `shared_memory` gets a copy. One that is
  // alone has shared memory when the machine of the image had.
  bool image_shared = false;
  // With `image_dir`: the disks that the machine of the image had, by its record. They are plugged in where they were,
  // and are to hold what they held.
  std::vector<state::v1::BlockDevice> image_disks;
  // Does not run until Resume.
  bool paused = false;
};

// A disk to give to a running machine.
struct DiskSpec {
  std::string id;    // Unique in the pod: `[a-z0-9-]+`, at most 16 bytes.
  std::string path;  // Image file or block device on the host.
  bool writable = false;
};

// Where the guest finds a disk: behind its one virtio-scsi controller.
struct ScsiAddress {
  uint32_t target = 0;
  uint32_t lun = 0;
};

// Where the guest finds a disk. Never by a name that its kernel would choose.
struct DiskAddress {
  ScsiAddress scsi;
  // Not empty: a disk of another kind, with this serial number; `scsi` means nothing then.
  std::string serial;
};

// A directory or regular file of the host that the guest may see. Symbolic links in the path are followed, once, on the
// host; those in the directory are the guest's, and lead nowhere on the host.
struct ShareSpec {
  std::string tag;  // Unique in the pod: `[A-Za-z0-9_.-]+`, at most 36 bytes.
  std::string host_path;
  bool readonly = false;  // The host lets nobody write there for the guest.
  bool recursive = true;  // With what is mounted below it now.
};

// Where the guest finds it: below the root of a virtiofs.
struct SharedPath {
  std::string tag;   // Of the virtiofs.
  std::string name;  // Empty: its root.
};

// What a machine has of what can change while it runs; 0 leaves it as it is.
struct VmSize {
  uint32_t vcpus = 0;
  uint32_t memory_mib = 0;
};

// Something that went wrong with a machine that goes on, or whose end is near.
struct VmTrouble {
  enum class Kind { kGuestPanicked, kDiskError };
  Kind kind = Kind::kGuestPanicked;
  std::string what;  // For people; names the disk.
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

  // It was started before its pod (VmSpec::pod_id was a name in place of one), and is that pod's from here on. Its run
  // directory stays, for Adopt and Reap too.
  virtual void GiveTo(const std::string& pod_id) { (void)pod_id; }

  // All that Adopt needs; changes with every attached disk or directory.
  virtual state::v1::VirtualMachine Record() const = 0;

  // A connected stream to the agent's port of the guest. Connects even before the guest has opened the port.
  virtual absl::StatusOr<UniqueFd> ConnectAgent(const CallContext& context) = 0;

  // Stops the vCPUs; OK when they are stopped.
  virtual absl::Status Pause(const CallContext& context) = 0;
  // Lets them go on; OK when they run.
  virtual absl::Status Resume(const CallContext& context) = 0;

  // Plugs a disk in. kAlreadyExists when the id is taken. Nothing stays behind on failure.
  virtual absl::StatusOr<DiskAddress> AttachDisk(const DiskSpec& disk, const CallContext& context) = 0;
  // Unplugs it; OK when there is no such disk.
  virtual absl::Status DetachDisk(const std::string& id, const CallContext& context) = 0;

  // Lets the guest see a directory or file of the host. kAlreadyExists when the tag is taken, kNotFound when there is
  // no such path, kInvalidArgument when it is of another kind, kResourceExhausted when the machine has too many,
  // kFailedPrecondition, with the next step, when the machine or the path's file system cannot do it. Nothing of the
  // share stays behind on failure. Takes no mount of the host's to do it, and leaves none there, whatever dies.
  virtual absl::StatusOr<SharedPath> ShareDirectory(const ShareSpec& share, const CallContext& context) = 0;
  // Takes it away; OK when there is no such tag. Files that the guest has open then stay open, and no others.
  virtual absl::Status UnshareDirectory(const std::string& tag, const CallContext& context) = 0;

  // Plugs vCPUs and memory in, and memory out; returns what the machine has then. The guest takes vCPUs online and
  // offline by itself, and none is ever unplugged. kInvalidArgument beyond what the machine was made for; nothing has
  // changed on failure.
  virtual absl::StatusOr<VmSize> Resize(const VmSize&, const CallContext&) {
    return absl::UnimplementedError("this hypervisor cannot change a machine that runs");
  }

  // Passes a PCI device of the host, bound to vfio-pci, through to the guest: `id` as of a disk, the address as
  // `0000:01:00.0`. Nothing stays behind on failure.
  virtual absl::Status AttachHostDevice(const std::string& id, const std::string& pci_address, const CallContext&) {
    return absl::UnimplementedError(absl::StrCat("this hypervisor passes no devices through: ", id, " ", pci_address));
  }
  // Takes it away; OK when there is no such device.
  virtual absl::Status DetachHostDevice(const std::string&, const CallContext&) { return absl::OkStatus(); }

  // Writes the machine to a directory that exists and is empty: memory and the state of its devices, such as
  // VmSpec::image_dir takes. It stands still from then on, whatever comes of it, until Resume; what was written by then
  // is the caller's to remove. Disks are not in it; what the guest wrote to them has reached the host. A machine out of
  // it has the network interfaces of this one, on record, but none of their packets goes anywhere: they are to be
  // detached. Nobody may be connected to the agent's port. kFailedPrecondition, naming it, for a device that cannot be
  // saved, for vCPUs and memory that came after the boot, and for a machine that was saved and has not gone on since.
  virtual absl::Status SaveImage(const std::string& directory, const CallContext&) {
    return absl::UnimplementedError(absl::StrCat("this hypervisor saves no machines to ", directory));
  }

  // Plugs a network interface in. The descriptors are the machine's afterwards; none is open here any more, whatever
  // comes of it. kAlreadyExists when the id is taken. Nothing stays behind on failure.
  virtual absl::Status AttachNic(NicSpec nic, const CallContext&) {
    return absl::UnimplementedError(absl::StrCat("this hypervisor has no network interfaces: ", nic.id));
  }
  // Takes it away; OK when there is no such interface.
  virtual absl::Status DetachNic(const std::string&, const CallContext&) { return absl::OkStatus(); }

  // Runs `callback` on the I/O thread for what happens to the machine short of its end. One callback; null takes it
  // back.
  virtual void OnTrouble(std::function<void(const VmTrouble& trouble)> callback) { (void)callback; }

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
  // (InvalidField, `hypervisor_config.…`) naming the field, kUnimplemented for what this backend never does. Blocks
  // while it reads files whose digests are given, for as long as the context allows.
  virtual absl::StatusOr<v1::HypervisorConfig> Resolve(const v1::HypervisorConfig& config,
                                                       const CallContext& context) const = 0;

  // Whether a pod may have these annotations, asked when they are given: kInvalidArgument (InvalidField) naming one
  // that is for this backend, and wrong.
  virtual absl::Status CheckAnnotations(const std::map<std::string, std::string>&) const { return absl::OkStatus(); }

  // Starts a machine; returns when the VMM answers and the guest boots. Nothing stays behind on failure.
  // kFailedPrecondition with VM_BOOT_FAILED and the VMM's own words when it refuses, as it does an image of a machine
  // with other disks; kFailedPrecondition for `shared_memory` with an image of a machine that had none. kDataLoss for
  // an image that is incomplete or damaged.
  virtual absl::StatusOr<std::unique_ptr<VirtualMachine>> Boot(const VmSpec& spec, const CallContext& context) = 0;

  // A digest of all that a machine of that description must agree in with an image that it goes on from: VMM, firmware,
  // kernel, initramfs, CPU, devices, memory. In hexadecimal. Pod, run directory and `shared_memory` make no difference.
  // kFailedPrecondition, saying why, for a machine that must boot.
  virtual absl::StatusOr<std::string> ImageKey(const VmSpec&, const CallContext&) const {
    return absl::UnimplementedError("this hypervisor saves no machines");
  }

  // Whether Boot could go on from the image in VmSpec::image_dir, as far as can be told without reading it to the end:
  // kDataLoss naming the file that is missing or wrong, kFailedPrecondition for an image of another machine.
  virtual absl::Status CheckImage(const VmSpec&, const CallContext&) const { return absl::OkStatus(); }

  // Lets go of what it keeps in memory of an image_shared image. Machines that run are not touched.
  virtual void ForgetImage(const std::string&) {}

  // Takes over a machine that an earlier daemon started. kNotFound when it has ended. Devices that the record does not
  // name are unplugged: the earlier daemon ended while it plugged them in.
  virtual absl::StatusOr<std::unique_ptr<VirtualMachine>> Adopt(const VmSpec& spec,
                                                                const state::v1::VirtualMachine& record,
                                                                const CallContext& context) = 0;

  // Ends every process that belongs to the pod, found by its run directory, whether or not a record tells of it, and
  // removes the sockets and logs that this backend made there, but for the console's (console_log.h), which the next
  // Boot replaces. OK when there is none.
  virtual absl::Status Reap(const std::string& run_dir, const CallContext& context) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_HYPERVISOR_H_
