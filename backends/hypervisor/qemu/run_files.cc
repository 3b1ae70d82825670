// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/run_files.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/virtiofsd_process.h"
#include "core/os/run_file.h"

namespace vcd {
namespace {

absl::Status RemoveAll(const std::vector<std::string>& paths) {
  absl::Status first_error = absl::OkStatus();
  for (const std::string& path : paths) {
    const absl::Status removed = RemoveFile(path);
    if (first_error.ok()) first_error = removed;
  }
  return first_error;
}

std::vector<std::string> Sockets(const std::string& run_dir) {
  std::vector<std::string> paths;
  for (const char* name : {kControlSocket, kMonitorSocket, kAgentSocket, kConsoleSocket}) {
    paths.push_back(absl::StrCat(run_dir, "/", name));
  }
  // A daemon that died while it started virtiofsd leaves its socket.
  paths.push_back(VirtiofsdSocketPath(run_dir));
  return paths;
}

}  // namespace

std::string QemuLogPath(const std::string& run_dir) { return absl::StrCat(run_dir, "/qemu.log"); }

absl::Status RemoveSockets(const std::string& run_dir) { return RemoveAll(Sockets(run_dir)); }

absl::Status RemoveRunFiles(const std::string& run_dir) {
  std::vector<std::string> paths = Sockets(run_dir);
  paths.push_back(QemuLogPath(run_dir));
  // An earlier release had up to eight virtiofsds, each with a log.
  for (int number = 1; number <= 8; ++number) paths.push_back(absl::StrCat(run_dir, "/share-", number, ".log"));
  return RemoveAll(paths);
}

}  // namespace vcd
