// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_AGENT_H_
#define VCD_CORE_AGENT_AGENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/cancellation.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/network.pb.h"
#include "proto/vcd/v1/process.pb.h"
#include "proto/vcd/v1/stats.pb.h"

namespace vcd {

// What an agent can do.
struct AgentCapabilities {
  // Containers have processes, streams, exits, limits and figures; they need a rootfs and a command. The guest answers
  // pings.
  bool runs_processes = false;
  // Plays the guest of a machine that has none (HypervisorCapabilities::simulated_guest), and of no other.
  bool simulates_guest = false;

  bool networks = false;  // Sets interfaces up (GuestSession::SetInterface).
  bool dials = false;     // Connects to ports of the guest (GuestSession::ExecDial).
  bool archives = false;  // Files of containers go in and out (GuestSession::ExecArchive).
  // Runs programs in a container before its own (GuestContainerSpec::start_hooks).
  bool start_hooks = false;

  // Whether anything is to be found out about the root file systems of its containers.
  bool ReadsRootfs() const { return runs_processes && !simulates_guest; }
};

// A process of a pod. An empty process id is the container's first process.
struct ProcessKey {
  std::string container_id;
  std::string process_id;

  bool operator==(const ProcessKey& other) const {
    return container_id == other.container_id && process_id == other.process_id;
  }
  bool operator<(const ProcessKey& other) const {
    return std::tie(container_id, process_id) < std::tie(other.container_id, other.process_id);
  }
};

enum class StdStream { kStdout, kStderr };

// A process as the guest tells it when a connection opens.
struct GuestProcess {
  ProcessKey key;
  int32_t pid = 0;
  bool started = false;   // False: held before its program.
  bool terminal = false;  // Its standard streams are a terminal.
  // How it ended; GuestObserver::OnProcessExit tells it again, after the output that goes on below.
  std::optional<v1::ExitStatus> exit;
  // Where output goes on: the guest sends it again from here.
  uint64_t stdout_offset = 0;
  uint64_t stderr_offset = 0;
};

// What the guest tells of itself.
struct GuestInfo {
  std::string kernel_release;
  std::string agent_version;
  std::vector<GuestProcess> processes;
};

// What a guest and containers of it use.
struct GuestUsage {
  v1::GuestStats guest;
  std::vector<v1::ContainerStats> containers;
};

// Hears what happens in the guest. Called on the I/O thread only, never concurrently; must not block for long, and must
// outlive the session.
class GuestObserver {
 public:
  virtual ~GuestObserver() = default;

  // Bytes that a process wrote, from `offset` of its stream. May repeat bytes told before a reconnection. The guest
  // stops reading the process's output until GuestSession::AcknowledgeOutput gives it room.
  virtual void OnOutput(const ProcessKey& process, StdStream stream, uint64_t offset, std::string data) = 0;

  // A process has ended; all its output was told before. Once for each session: also for one that ended before it.
  virtual void OnProcessExit(const ProcessKey& process, const v1::ExitStatus& status) = 0;

  // The guest's kernel ended processes of a container for want of memory: `kills` so far, in this guest. An empty id is
  // what belongs to no container. Not before the exit of such a process, nor after it, but beside it.
  virtual void OnOutOfMemory(const std::string& container_id, uint64_t kills) = 0;

  // Processes of the guest wait for memory: the share of the last ten seconds, percent.
  virtual void OnMemoryPressure(double some_percent) = 0;

  // The guest no longer talks: no other call follows.
  virtual void OnGuestLost(const absl::Status& why) = 0;
};

// A container's root file system as it was brought to the machine.
struct DiskRootfs {
  DiskAddress address;
  std::string fs_type;
  bool overlay = true;  // The disk is only read, and changes go to the guest's memory; otherwise to the disk.
  std::vector<std::string> options;  // Of its mount; without an overlay.
};
struct SharedRootfs {
  SharedPath path;
};
using GuestRootfs = std::variant<std::monostate, DiskRootfs, SharedRootfs>;

// What was brought to the machine for a mount or a device, if anything.
using GuestPlace = std::variant<std::monostate, DiskAddress, SharedPath>;

// A container to make.
struct GuestContainerSpec {
  v1::ContainerConfig config;
  GuestRootfs rootfs;
  // One for each of config.mounts and config.devices, in their order; those that are missing have none.
  std::vector<GuestPlace> mounts;
  std::vector<GuestPlace> devices;
  std::string hostname;
  std::string resolv_conf;  // Content of /etc/resolv.conf and /etc/hosts; empty leaves those of the root file system.
  std::string hosts;
  // One pid namespace for all containers of the guest that say so.
  bool share_process_namespace = false;
  // Programs of the container that run in it before its own (OCI startContainer), and the OCI state that they get, as
  // JSON, in which the first `{pid}` is to be the process's in the container.
  std::vector<v1::Hook> start_hooks;
  std::string hook_state;
};

// Files of a container to be packed into a tar stream, or unpacked from one.
struct GuestArchive {
  bool write = false;           // Unpacks standard input below `path`; otherwise packs `path` to standard output.
  std::string path;             // Absolute, in the container.
  bool follow_symlink = false;  // Packing: what `path` leads to.
  bool stat_only = false;       // Packing: the entry of `path` alone, without content.
  bool keep_owner = false;      // Unpacking: the owners that the archive tells.
};

// A port of the guest to connect to, by TCP.
struct GuestDial {
  std::string address;  // Numeric; empty is 127.0.0.1, and ::1 when nobody listens there.
  uint16_t port = 0;
};

// A conversation with the agent of one guest. Thread-safe. Calls that take a context block, and none of those may be
// made on the I/O thread; they return kUnavailable (AGENT_UNAVAILABLE) when the guest is gone. Destroying the session
// ends the conversation, not the guest; no observer call is running or follows after that, so no lock may be held then
// that the observer takes. What a process does may be told before the call that made it returns.
class GuestSession {
 public:
  virtual ~GuestSession() = default;

  // What the guest told when the connection opened.
  virtual const GuestInfo& info() const = 0;

  // Starts the calls to the observer: until then output and exits wait, and in the end hold up the guest. Once.
  virtual void Observe() = 0;

  // Makes a container and its first process, held; returns its pid in the guest. kAlreadyExists; kInvalidArgument with
  // COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE or INVALID_FIELD (user, group). Nothing stays behind on failure.
  virtual absl::StatusOr<int32_t> CreateContainer(const GuestContainerSpec& spec, const CallContext& context) = 0;

  // Lets the held process run, after the container's start hooks. kFailedPrecondition unless it is held, and
  // (HOOK_FAILED) when one of those fails, which ends the process.
  virtual absl::Status StartContainer(const std::string& container_id, const CallContext& context) = 0;

  // Kills what is left of it and forgets it, with all its processes. OK when there is none.
  virtual absl::Status RemoveContainer(const std::string& container_id, const CallContext& context) = 0;

  // Runs another process in a container; returns its pid. Errors as for CreateContainer.
  virtual absl::StatusOr<int32_t> Exec(const ProcessKey& process, const v1::Cmd& cmd, const CallContext& context) = 0;

  // As Exec, for the agent's own code in place of a program; how it ends says core/link/link_limits.h, and why its
  // standard error. kUnimplemented unless the agent `archives`.
  virtual absl::StatusOr<int32_t> ExecArchive(const ProcessKey&, const GuestArchive&, const CallContext&) {
    return absl::UnimplementedError("this agent copies no files");
  }

  // As ExecArchive, for a connection: its bytes are the process's standard input and output, in no container
  // (`process.container_id` is empty). kUnimplemented unless the agent `dials`.
  virtual absl::StatusOr<int32_t> ExecDial(const ProcessKey&, const GuestDial&, const CallContext&) {
    return absl::UnimplementedError("this agent connects to no ports");
  }

  // Waits until the guest has the interface with that hardware address, and sets it up: name, MTU, addresses,
  // neighbours, routes. Repeating it does no harm. kInternal in the words of the guest's kernel, naming what it
  // refused.
  virtual absl::Status SetInterface(const v1::PodInterface& interface, const CallContext&) {
    return absl::UnimplementedError(absl::StrCat("this agent sets no interface up: ", interface.name()));
  }
  // Takes an interface down before its device goes. OK when there is none with that hardware address.
  virtual absl::Status RemoveInterface(const std::string&, const CallContext&) { return absl::OkStatus(); }

  // Sends a signal to a process, or to all of its container. kNotFound for an unknown one, OK for one that has ended.
  virtual absl::Status Signal(const ProcessKey& process, int signal, bool all, const CallContext& context) = 0;

  // Tells a process's terminal its size, each 1 … 65535. kNotFound; kFailedPrecondition for one without a terminal, or
  // that has ended.
  virtual absl::Status ResizeTerminal(const ProcessKey& process, const v1::TerminalSize& size,
                                      const CallContext& context) = 0;

  // The processes of a container, those included that nobody here started. kNotFound.
  virtual absl::StatusOr<std::vector<v1::ProcessInfo>> ListProcesses(const std::string& container_id,
                                                                     const CallContext& context) = 0;

  // What the guest uses, and what the container does; all containers for an empty id. kNotFound.
  virtual absl::StatusOr<GuestUsage> GetUsage(const std::string& container_id, const CallContext& context) = 0;

  // Changes limits: what `change` names gets the value that it has in `all`, the limits as they are to be (see
  // CgroupFiles). On failure they are as before: kNotFound; kInternal in the words of the guest's kernel.
  virtual absl::Status UpdateResources(const std::string& container_id, const v1::ContainerResources& change,
                                       const v1::ContainerResources& all, const CallContext& context) = 0;

  // Takes the first `count` CPUs of the guest online, once they are there, and the others offline. kInternal in the
  // words of the guest's kernel.
  virtual absl::Status SetCpus(uint32_t count, const CallContext&) {
    return absl::UnimplementedError(absl::StrCat("this agent cannot give the guest ", count, " CPUs"));
  }

  // Sets the guest's clock to this host's, for a guest that stood still.
  virtual absl::Status SetClock(const CallContext& context) = 0;

  // Asks the guest for a sign of life. Never blocks; any thread.
  virtual void Ping() = 0;

  // Counts the signs of life: whatever comes from the guest. Any thread.
  virtual uint64_t signs_of_life() const = 0;

  // Forgets an ended exec. OK when there is none.
  virtual absl::Status RemoveProcess(const ProcessKey& process, const CallContext& context) = 0;

  // Gives bytes to a process's standard input, in order, and ends it when `close`. Never blocks; `done` runs once, on
  // the I/O thread, when the guest has room for more: write the next only then. kNotFound, kUnavailable, or
  // kFailedPrecondition when input is closed.
  virtual void WriteInput(const ProcessKey& process, std::string data, bool close,
                          std::function<void(absl::Status)> done) = 0;

  // Lets the guest forget output up to `offset` and send more. Never blocks; any thread.
  virtual void AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset) = 0;

  // Syncs file systems and powers the guest off. The machine may end before the answer comes: that is success.
  virtual absl::Status Shutdown(const CallContext& context) = 0;
};

// Whom to talk to.
struct GuestSpec {
  std::string pod_id;
  std::string hostname;  // For the guest.
  std::string run_dir;   // As in VmSpec; may be empty for agents that keep nothing there.
};

// Opens conversations with guests. Thread-safe.
class Agent {
 public:
  virtual ~Agent() = default;

  virtual AgentCapabilities capabilities() const = 0;

  // Waits until the guest answers. For a new machine and for an adopted one alike. The machine and the observer outlive
  // the session. kDeadlineExceeded or kUnavailable with AGENT_UNAVAILABLE; the message ends with what the console said.
  virtual absl::StatusOr<std::unique_ptr<GuestSession>> Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                                GuestObserver& observer,
                                                                const CallContext& context) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_AGENT_H_
