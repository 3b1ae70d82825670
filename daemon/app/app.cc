// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/app.h"

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/os/host_memory.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/check/posix_host.h"
#include "daemon/metrics/rpc_interceptor.h"
#include "daemon/server/unix_socket.h"
#include "daemon/version.h"

namespace vcd {
namespace {

// Threads for work that blocks, made when they are needed. Boots are bounded on their own and what else blocks is
// short, unless pods hang: one may hold up to nine.
constexpr int kMaxWorkers = 256;

// What WatchEvents can resume from.
constexpr size_t kEventsKept = 10000;

// How long calls get to end by themselves once the daemon stops. Those that wait for a process never do.
constexpr absl::Duration kDrain = absl::Milliseconds(300);

absl::Status MakeParent(const std::string& directory) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(directory).parent_path();
  std::filesystem::create_directories(parent, error);
  if (error) return PosixError(error.value(), absl::StrCat("make the directory ", parent.string()));
  return absl::OkStatus();
}

// A child of a vcd that was killed holds its lock until it has become the program that it was forked for: so long, and
// no longer, a lock is waited for.
constexpr absl::Duration kLockPatience = absl::Seconds(1);
constexpr absl::Duration kLockInterval = absl::Milliseconds(10);

absl::StatusOr<FileLock> LockDirectory(const std::string& directory) {
  const absl::Time give_up = absl::Now() + kLockPatience;
  while (true) {
    absl::StatusOr<FileLock> lock =
        FileLock::Acquire(absl::StrCat(directory, "/lock"), FileLockMode::kExclusive, /*nonblocking=*/true);
    if (!absl::IsUnavailable(lock.status()) || absl::Now() >= give_up) return lock;
    absl::SleepFor(kLockInterval);
  }
}

}  // namespace

App::App(const config::v1::DaemonConfig& config)
    : config_(config),
      // Microseconds, so that a revision of an earlier life is smaller than all of this one's, and told to be gone.
      events_(kEventsKept, static_cast<uint64_t>(absl::ToUnixMicros(absl::Now()))),
      pool_(kMaxWorkers) {
  if (config_.metrics().listen().empty()) return;
  metrics_ = std::make_unique<DaemonMetrics>();
  metered_filesystem_ = std::make_unique<MeteredFilesystem>(filesystem_, *metrics_);
}

absl::StatusOr<std::unique_ptr<App>> App::Start(const config::v1::DaemonConfig& config,
                                                const BackendFactory& backends) {
  std::unique_ptr<App> app(new App(config));
  VCD_RETURN_IF_ERROR(app->PrepareDirectories());
  VCD_RETURN_IF_ERROR(app->OpenRuntime(backends));
  VCD_RETURN_IF_ERROR(app->ServeMetrics());
  VCD_RETURN_IF_ERROR(app->Serve());
  app->LogStart();
  return app;
}

absl::Status App::PrepareDirectories() {
  VCD_ASSIGN_OR_RETURN(const ListenAddress address, ParseListenAddress(config_.listen()));
  // Before the runtime makes it: the socket is often in the run directory, and the socket's group has to get there.
  if (address.is_unix()) VCD_RETURN_IF_ERROR(MakeSocketDirectory(address.path));
  VCD_RETURN_IF_ERROR(MakeParent(config_.run_dir()));
  VCD_RETURN_IF_ERROR(MakeParent(config_.state_dir()));
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(config_.state_dir()));
  // The runtime locks the run directory; two daemons with one state directory would each take the other's pods for
  // those of a host that was restarted.
  absl::StatusOr<FileLock> lock = LockDirectory(config_.state_dir());
  if (!lock.ok()) {
    const char* in_use = absl::IsUnavailable(lock.status())
                             ? ": another vcd is using it; stop that one or choose another directory with --state-dir"
                             : "";
    return Annotate(lock.status(), absl::StrCat("state directory ", config_.state_dir(), in_use));
  }
  state_lock_ = std::make_unique<FileLock>(*std::move(lock));
  return absl::OkStatus();
}

absl::Status App::OpenRuntime(const BackendFactory& factory) {
  VCD_ASSIGN_OR_RETURN(catalog_, factory(config_, io_));
  VCD_RETURN_IF_ERROR(CheckDefaults(catalog_.backends));
  PodRuntimeOptions options;
  options.state_dir = config_.state_dir();
  options.run_dir = config_.run_dir();
  options.max_parallel_boots = config_.max_parallel_boots();
  if (!config_.admission().ignore_memory()) options.host_memory = [] { return ReadHostMemory(); };
  options.memory_reserve_bytes = uint64_t{config_.admission().memory_reserve_mib()} << 20;
  options.boot_timeout = absl::Seconds(config_.qemu().boot_timeout_seconds());
  options.stop_grace = absl::Seconds(config_.stop_grace_seconds());
  options.exec_backlog_bytes = config_.streams().exec_backlog_bytes();
  options.slow_reader_patience = absl::Seconds(config_.streams().slow_reader_seconds());
  options.container_logs = {config_.logs().max_file_bytes(), config_.logs().max_files()};
  options.heartbeat_interval = absl::Seconds(config_.health().interval_seconds());
  options.heartbeat_timeout = absl::Seconds(config_.health().timeout_seconds());
  options.templates.enabled = !config_.templates().disabled();
  options.templates.directory = absl::StrCat(config_.state_dir(), "/templates");
  options.templates.run_dir = absl::StrCat(config_.run_dir(), "/templates");
  options.templates.warm_dir = absl::StrCat(config_.run_dir(), "/warm");
  options.templates.warm_machines = config_.templates().warm_machines();
  options.templates.trust_domain = config_.templates().trust_domain();
  options.templates.max_templates = config_.templates().max_templates();
  options.templates.max_memory_bytes = uint64_t{config_.templates().max_memory_mib()} << 20;
  options.templates.clone_timeout = absl::Seconds(config_.templates().clone_timeout_seconds());
  options.templates.build_timeout = options.boot_timeout + absl::Minutes(1);
  options.hook_limits = {absl::Seconds(config_.hooks().timeout_seconds()),
                         absl::Seconds(config_.hooks().max_timeout_seconds())};
  options.hooks = &hooks_;
  options.version = kVersion;
  options.metrics = metrics_.get();
  Filesystem* filesystem = &filesystem_;
  if (metered_filesystem_ != nullptr) filesystem = metered_filesystem_.get();
  // Outermost, so that what is metered is what the disk sees.
  shared_filesystem_ = std::make_unique<SharedSyncFilesystem>(*filesystem);
  VCD_ASSIGN_OR_RETURN(runtime_,
                       PodRuntime::Open(options, catalog_.backends, *shared_filesystem_, io_, pool_, events_));
  return absl::OkStatus();
}

absl::Status App::ServeMetrics() {
  if (metrics_ == nullptr) return absl::OkStatus();
  VCD_ASSIGN_OR_RETURN(const MetricsAddress address, ParseMetricsAddress(config_.metrics().listen()));
  const auto render = [this] {
    return metrics_->Render({runtime_->ListPods(), runtime_->load(), config_.max_parallel_boots()});
  };
  VCD_ASSIGN_OR_RETURN(endpoint_, MetricsEndpoint::Start(address, DaemonMetrics::kContentType, render));
  return absl::OkStatus();
}

absl::Status App::Serve() {
  v1::GetInfoResponse info;
  for (v1::BackendInfo& backend : DescribeBackends(catalog_.backends)) *info.add_backends() = std::move(backend);
  *info.mutable_accelerator() = catalog_.accelerator;
  info.set_max_parallel_boots(config_.max_parallel_boots());
  info.set_state_dir(config_.state_dir());
  info.set_run_dir(config_.run_dir());

  pod_service_ = std::make_unique<PodService>(*runtime_);
  container_service_ = std::make_unique<ContainerService>(*runtime_);
  process_service_ = std::make_unique<ProcessService>(*runtime_);
  event_service_ = std::make_unique<EventService>(events_);
  check_ = std::make_unique<HostCheck>(std::make_unique<PosixHost>(), config_, pool_);
  system_service_ = std::make_unique<SystemService>(*runtime_, std::move(info), *check_);
  template_service_ = std::make_unique<TemplateService>(*runtime_);
  std::vector<grpc::Service*> services = {pod_service_.get(),   container_service_.get(), process_service_.get(),
                                          event_service_.get(), system_service_.get(),    template_service_.get()};
  if (catalog_.mock != nullptr) {
    mock_service_ = std::make_unique<MockService>(catalog_.mock);
    services.push_back(mock_service_.get());
  }
  VCD_ASSIGN_OR_RETURN(const ListenAddress address, ParseListenAddress(config_.listen()));
  VCD_ASSIGN_OR_RETURN(
      server_, GrpcServer::Start(address, services, metrics_ != nullptr ? MeterRpcs(metrics_->rpcs()) : nullptr));
  return absl::OkStatus();
}

void App::LogStart() const {
  const Logger log;
  log.Info(absl::StrCat("vcd ", kVersion, " serves"), {{"listen", server_->address().Url()},
                                                       {"state_dir", config_.state_dir()},
                                                       {"run_dir", config_.run_dir()},
                                                       {"pods", absl::StrCat(runtime_->ListPods().size())},
                                                       {"hypervisor", config_.hypervisor()},
                                                       {"agent", config_.agent()},
                                                       {"network", config_.network()},
                                                       {"accelerator", catalog_.accelerator.name()},
                                                       {"because", catalog_.accelerator.reason()}});
  if (endpoint_ != nullptr) {
    log.Info("metrics are served", {{"listen", endpoint_->address().Text()}});
    if (!endpoint_->address().is_local()) log.Warning("other hosts can read the metrics, which no password protects");
  }
  if (!server_->address().is_unix()) {
    log.Warning("every user of this host may use the TCP port, and so control its pods; a Unix socket has permissions");
  }
}

App::~App() {
  if (server_ == nullptr) return;
  server_->BeginShutdown();
  // Operations give up, so that their calls can answer.
  runtime_->BeginShutdown();
  events_.Close(absl::UnavailableError("vcd is shutting down; watch again when it is back"));
  server_->Shutdown(absl::Now() + kDrain);
}

}  // namespace vcd
