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

// One virtiofsd, which serves one host directory to one machine and ends by itself when the machine closes its socket.
struct VirtiofsdSpec {
  std::string program;
  std::string run_dir;
  std::string name;         // Short and unique in the machine; names the log.
  std::string source_path;  // Absolute, canonical: virtiofsd refuses a symbolic link.
};

struct StartedVirtiofsd {
  std::unique_ptr<SupervisedProcess> process;
  UniqueFd connection;  // To it; for QEMU.
};

// A part of the command line of every virtiofsd of a run directory, and of no other program; with a name, of that one.
std::string VirtiofsdMarker(const std::string& run_dir);
std::string VirtiofsdMarker(const std::string& run_dir, const std::string& name);

std::vector<std::string> VirtiofsdCommandLine(const VirtiofsdSpec& spec, int listening_fd);

// Where it writes what goes wrong.
std::string VirtiofsdLogPath(const std::string& run_dir, const std::string& name);

// Starts it, connected. Leaves nothing but its log on failure. Does not wait until it serves; the peer of the connection
// does, and sees it closed when virtiofsd gives up.
absl::StatusOr<StartedVirtiofsd> StartVirtiofsd(IoThread& io, const VirtiofsdSpec& spec);

// Ends it, if it has not ended by itself within `patience`, with the process that it forks, and removes its log. `process`
// may be null, when only the marker tells of it.
absl::Status EndVirtiofsd(IoThread& io, SupervisedProcess* process, const std::string& run_dir, const std::string& name,
                          absl::Duration patience);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_VIRTIOFSD_PROCESS_H_
