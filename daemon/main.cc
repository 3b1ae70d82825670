// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/os/io_thread.h"
#include "core/os/unique_fd.h"
#include "daemon/app/app.h"
#include "daemon/app/backend_catalog.h"
#include "daemon/check/host_check.h"
#include "daemon/check/posix_host.h"
#include "daemon/config/command_line.h"

namespace vcd {
namespace {

constexpr absl::Duration kShutdownLimit = absl::Milliseconds(900);

// SIGTERM and SIGINT as a descriptor. Blocks them in this thread and so in all that it starts; children are started
// with an empty mask. SIGPIPE and SIGHUP are ignored: a client that goes away, or a terminal that closes, is no reason
// to end.
UniqueFd TakeSignals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

// Every pod holds several descriptors, and the soft limit of a shell or of systemd is 1024 for select(2)'s sake.
void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "vcd: %s\n", std::string(status.message()).c_str());
  return 1;
}

// What App::Start would say of the configuration, without touching the host.
int CheckOnly(config::v1::DaemonConfig config) {
  config.mutable_qemu()->set_accelerator("tcg");  // Its name is checked; no probe.
  IoThread io;
  const absl::StatusOr<BackendCatalog> catalog = MakeBackendCatalog(config, io);
  const absl::Status status = catalog.ok() ? CheckDefaults(catalog->backends) : catalog.status();
  if (!status.ok()) return Fail(status);
  std::puts("the configuration is good");
  return 0;
}

// What vc check asks a daemon, without one.
int LookAtHost(const config::v1::DaemonConfig& config) {
  ProgramAnswers answers;
  const v1::CheckResponse found = CheckHost(PosixHost(), config, /*serving=*/false, answers);
  std::fputs(CheckText(found).c_str(), stdout);
  return CanRunPods(found) ? 0 : 1;
}

// Takes the application down, leaving the pods running. Ends the process the hard way when that takes too long or a
// second signal comes: an operation that is cut off stands in its pod's record with its intent, and the next vcd
// finishes or undoes it as after a crash, so waiting longer would gain nothing.
int ShutDown(std::unique_ptr<App> app, int signals) {
  LogInfo("", "stopping; pods keep running");
  const UniqueFd done(eventfd(0, EFD_CLOEXEC));
  std::thread stopper([&app, &done] {
    app.reset();
    eventfd_write(done.get(), 1);
  });
  const absl::Time limit = absl::Now() + kShutdownLimit;
  pollfd waiting[] = {{done.get(), POLLIN, 0}, {signals, POLLIN, 0}};
  int ready = 0;
  do {
    const int64_t left = absl::ToInt64Milliseconds(limit - absl::Now());
    ready = poll(waiting, 2, static_cast<int>(std::max<int64_t>(left, 0)));
  } while (ready < 0 && errno == EINTR);
  if ((waiting[0].revents & POLLIN) == 0) {
    LogWarning("", "not all operations ended in time; the next vcd will clean up after them");
    _exit(0);
  }
  stopper.join();
  LogInfo("", "stopped");
  return 0;
}

int Main(const std::vector<std::string>& arguments) {
  const CommandLine command_line = ParseCommandLine(arguments);
  if (command_line.exit_code.has_value()) {
    std::fputs(command_line.text.c_str(), *command_line.exit_code == 0 ? stdout : stderr);
    return *command_line.exit_code;
  }
  const absl::StatusOr<config::v1::DaemonConfig> config = ResolveConfig(command_line);
  if (!config.ok()) return Fail(config.status());
  if (command_line.check_config) return CheckOnly(*config);
  if (command_line.check_host) return LookAtHost(*config);
  // Before the first thread, so that all inherit it.
  const UniqueFd signals = TakeSignals();
  RaiseDescriptorLimit();
  ConfigureLogging(ParseLogLevel(config->log().level()).value_or(LogLevel::kInfo),
                   ParseLogFormat(config->log().format()).value_or(LogFormat::kText));

  absl::StatusOr<std::unique_ptr<App>> app = App::Start(*config);
  if (!app.ok()) return Fail(app.status());
  signalfd_siginfo received = {};
  while (read(signals.get(), &received, sizeof(received)) < 0 && errno == EINTR) {
  }
  return ShutDown(*std::move(app), signals.get());
}

}  // namespace
}  // namespace vcd

int main(int argc, char** argv) { return vcd::Main(std::vector<std::string>(argv, argv + argc)); }
