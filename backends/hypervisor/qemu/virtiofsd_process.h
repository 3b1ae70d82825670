// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_VIRTIOFSD_PROCESS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_VIRTIOFSD_PROCESS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/io_thread.h"
#include "core/os/supervised_process.h"
#include "core/os/unique_fd.h"

namespace vcd {

// The virtiofsd of one machine, which ends by itself when the machine closes its socket. It shows what is mounted below
// its root in its own mount namespace (share_mounts.h), and reaches nothing else: it makes that its root directory,
// with process and network namespaces and a seccomp filter of its own.
struct VirtiofsdSpec {
  std::string program;
  std::string run_dir;
  int root = -1;                // MakeShareRoot. Not consumed.
  int user_namespace = -1;      // Whose user 0 it becomes; -1: it stays who we are. Not consumed.
  std::vector<int> cgroup_fds;  // LaunchSpec::cgroup_fds.
};

struct StartedVirtiofsd {
  std::unique_ptr<SupervisedProcess> process;
  UniqueFd connection;  // To it; for QEMU.
  UniqueFd log;         // What it says, for VirtiofsdWords.
};

// A part of the command line of every virtiofsd of a run directory, and of no other program.
std::string VirtiofsdMarker(const std::string& run_dir);

std::vector<std::string> VirtiofsdCommandLine(const VirtiofsdSpec& spec, int listening_fd);

// Its socket while it is being started.
std::string VirtiofsdSocketPath(const std::string& run_dir);

// Starts it, connected. Leaves nothing on failure. Does not wait until it serves; the peer of the
// connection does, and sees it closed when virtiofsd gives up.
absl::StatusOr<StartedVirtiofsd> StartVirtiofsd(IoThread& io, const VirtiofsdSpec& spec);

// The first that it has said, for people. No more is kept, whatever a guest makes it say.
std::string VirtiofsdWords(const UniqueFd& log);

// Ends it, if it has not ended by itself within `patience`, with the process that it forks. `process` may be null, when
// only the marker tells of it.
absl::Status EndVirtiofsd(IoThread& io, SupervisedProcess* process, const std::string& run_dir,
                          absl::Duration patience);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_VIRTIOFSD_PROCESS_H_
