// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/virtiofsd_process.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "core/os/process.h"
#include "core/os/run_file.h"
#include "core/os/unix_socket.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr int kChildListeningFd = 3;

// libfuse's option syntax separates by commas and takes the character after a backslash for itself.
std::string Escaped(const std::string& value) {
  return absl::StrReplaceAll(value, {{"\\", "\\\\"}, {",", "\\,"}});
}

std::string MarkerStart(const std::string& run_dir) { return absl::StrCat("source=", Escaped(run_dir), "/share-"); }

// The process that virtiofsd forks into its own pid namespace dies with its parent, a moment later.
absl::Status EndLeftovers(IoThread& io, const std::string& marker) {
  for (const ProcessIdentity& identity : FindProcesses(marker)) {
    absl::StatusOr<std::unique_ptr<SupervisedProcess>> process = SupervisedProcess::Adopt(io, identity);
    if (process.ok()) VCD_RETURN_IF_ERROR((*process)->Terminate(absl::Seconds(1)));
  }
  return absl::OkStatus();
}

}  // namespace

std::string VirtiofsdMarker(const std::string& run_dir) { return MarkerStart(run_dir); }

std::string VirtiofsdMarker(const std::string& run_dir, const std::string& name) {
  return absl::StrCat(MarkerStart(run_dir), name, "/");
}

std::string VirtiofsdLogPath(const std::string& run_dir, const std::string& name) {
  return absl::StrCat(run_dir, "/share-", name, ".log");
}

std::vector<std::string> VirtiofsdCommandLine(const VirtiofsdSpec& spec, int listening_fd) {
  return {
      spec.program,
      absl::StrCat("--fd=", listening_fd),
      // virtiofsd has no option that could carry a name; of two sources the last one counts.
      "-o",
      VirtiofsdMarker(spec.run_dir, spec.name),
      "-o",
      absl::StrCat("source=", Escaped(spec.source_path)),
      "-o",
      "cache=auto",
      "-o",
      "xattr",
      "-o",
      "sandbox=namespace",
      "-o",
      "log_level=warn",
  };
}

absl::StatusOr<StartedVirtiofsd> StartVirtiofsd(IoThread& io, const VirtiofsdSpec& spec) {
  const std::string log_path = VirtiofsdLogPath(spec.run_dir, spec.name);
  VCD_RETURN_IF_ERROR(RemoveFile(log_path));
  VCD_ASSIGN_OR_RETURN(UniqueFd log, OpenLogFile(log_path));

  // The socket has a name only until the one connection to it is made.
  const std::string socket_name = absl::StrCat("share-", spec.name);
  VCD_ASSIGN_OR_RETURN(UniqueFd listener, ListenUnix(spec.run_dir, socket_name, /*backlog=*/1));
  absl::StatusOr<UniqueFd> connection = ConnectUnix(spec.run_dir, socket_name);
  VCD_RETURN_IF_ERROR(RemoveFile(absl::StrCat(spec.run_dir, "/", socket_name)));
  VCD_RETURN_IF_ERROR(connection.status());

  LaunchSpec launch;
  launch.argv = VirtiofsdCommandLine(spec, kChildListeningFd);
  launch.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  launch.descriptors = {{listener.get(), kChildListeningFd}};
  launch.stdout_fd = log.get();
  launch.stderr_fd = log.get();
  VCD_ASSIGN_OR_RETURN(LaunchedProcess launched, LaunchProcess(launch));
  return StartedVirtiofsd{SupervisedProcess::Watch(io, std::move(launched)), *std::move(connection)};
}

absl::Status EndVirtiofsd(IoThread& io, SupervisedProcess* process, const std::string& run_dir, const std::string& name,
                          absl::Duration patience) {
  absl::Status ended = absl::OkStatus();
  if (process != nullptr && !process->WaitExit({absl::Now() + patience, nullptr}).ok()) {
    ended = process->Terminate(absl::Seconds(1));
  }
  absl::Status leftovers = EndLeftovers(io, VirtiofsdMarker(run_dir, name));
  absl::Status removed = RemoveFile(VirtiofsdLogPath(run_dir, name));
  VCD_RETURN_IF_ERROR(ended);
  VCD_RETURN_IF_ERROR(leftovers);
  return removed;
}

}  // namespace vcd
