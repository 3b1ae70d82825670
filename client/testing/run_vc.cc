// SPDX-License-Identifier: Apache-2.0
#include "client/testing/run_vc.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/command_line.h"
#include "client/command_registry.h"
#include "client/environment.h"
#include "client/posix/unique_fd.h"

namespace vcd::client {
namespace {

UniqueFd MemoryFile() { return UniqueFd(::memfd_create("vc-test", MFD_CLOEXEC)); }

std::string Content(int fd) {
  std::string content;
  char buffer[65536];
  off_t offset = 0;
  ssize_t n;
  while ((n = ::pread(fd, buffer, sizeof buffer, offset)) > 0) {
    content.append(buffer, static_cast<size_t>(n));
    offset += n;
  }
  return content;
}

}  // namespace

RunResult RunVc(const std::string& socket_path, const std::vector<std::string>& words, const RunOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);
  const UniqueFd in = MemoryFile();
  const UniqueFd out = MemoryFile();
  const UniqueFd err = MemoryFile();
  (void)!::write(in.get(), options.stdin_text.data(), options.stdin_text.size());
  ::lseek(in.get(), 0, SEEK_SET);

  FakeSignals none;
  Environment environment;
  environment.streams = {in.get(), options.stdout_fd >= 0 ? options.stdout_fd : out.get(), err.get()};
  environment.variable = [&](const std::string& name) -> std::optional<std::string> {
    if (name == "VCD_ADDRESS") return "unix://" + socket_path;
    const auto found = options.variables.find(name);
    if (found == options.variables.end()) return std::nullopt;
    return found->second;
  };
  environment.now = [] { return absl::FromUnixSeconds(1700000000); };
  environment.watch_signals = [&]() -> absl::StatusOr<std::unique_ptr<SignalSource>> {
    return (options.signals != nullptr ? options.signals : &none)->NewSource();
  };

  environment.watch_window = [&]() -> absl::StatusOr<std::unique_ptr<SignalSource>> { return none.NewSource(); };

  RunResult result;
  result.exit_status = RunCommandLine(words, AllCommands(), environment);
  result.out = Content(out.get());
  result.err = Content(err.get());
  return result;
}

RunResult RunVc(const FakeServer& server, const std::vector<std::string>& words, const RunOptions& options) {
  return RunVc(server.socket_path(), words, options);
}

}  // namespace vcd::client
