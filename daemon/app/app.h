// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_APP_APP_H_
#define VCD_DAEMON_APP_APP_H_

#include <memory>

#include "absl/status/statusor.h"
#include "core/event/event_bus.h"
#include "core/hook/process_hook_runner.h"
#include "core/metric/metered_filesystem.h"
#include "core/os/file_lock.h"
#include "core/os/io_thread.h"
#include "core/os/posix_filesystem.h"
#include "core/os/shared_sync_filesystem.h"
#include "core/os/worker_pool.h"
#include "core/pod/pod_runtime.h"
#include "daemon/app/backend_catalog.h"
#include "daemon/check/host_check.h"
#include "daemon/metrics/daemon_metrics.h"
#include "daemon/metrics/metrics_endpoint.h"
#include "daemon/server/grpc_server.h"
#include "daemon/service/container_service.h"
#include "daemon/service/event_service.h"
#include "daemon/service/mock_service.h"
#include "daemon/service/pod_service.h"
#include "daemon/service/process_service.h"
#include "daemon/service/system_service.h"
#include "daemon/service/template_service.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"

namespace vcd {

// The whole daemon but for its process: built bottom-up from one configuration, taken down in reverse. Used by one
// thread.
class App {
 public:
  // Adopts what runs and starts to serve. `config` has its defaults filled in and is checked. The log is set up
  // already. kFailedPrecondition or kUnavailable when another daemon has the directories or the socket; nothing is left
  // behind.
  static absl::StatusOr<std::unique_ptr<App>> Start(const config::v1::DaemonConfig& config,
                                                    const BackendFactory& backends = MakeBackendCatalog);

  // Stops serving and leaves the pods running: health says NOT_SERVING, operations under way are undone, calls end.
  // Waits for all of that, which may take as long as the undo of a boot.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  const ListenAddress& address() const { return server_->address(); }
  // Where metrics are served; null when they are not.
  const MetricsAddress* metrics_address() const { return endpoint_ == nullptr ? nullptr : &endpoint_->address(); }

  // Blocks until every pod found at the start is adopted or accounted for. Serving does not wait for it.
  void WaitReconciled() { runtime_->WaitReconciled(); }

 private:
  explicit App(const config::v1::DaemonConfig& config);

  // The steps of Start, in order.
  absl::Status PrepareDirectories();
  absl::Status OpenRuntime(const BackendFactory& factory);
  absl::Status ServeMetrics();
  absl::Status Serve();
  void LogStart() const;

  // In order of dependency: each uses only what is above it, and is destroyed before that.
  const config::v1::DaemonConfig config_;
  std::unique_ptr<FileLock> state_lock_;
  std::unique_ptr<DaemonMetrics> metrics_;  // Null, as is what counts for it, when nobody may read them.
  PosixFilesystem filesystem_;
  std::unique_ptr<MeteredFilesystem> metered_filesystem_;
  std::unique_ptr<SharedSyncFilesystem> shared_filesystem_;
  IoThread io_;
  ProcessHookRunner hooks_;
  EventBus events_;
  BackendCatalog catalog_;
  std::unique_ptr<HostCheck> check_;  // Before the pool, whose end waits for what it was asked.
  WorkerPool pool_;
  std::unique_ptr<PodRuntime> runtime_;
  std::unique_ptr<MetricsEndpoint> endpoint_;
  std::unique_ptr<PodService> pod_service_;
  std::unique_ptr<ContainerService> container_service_;
  std::unique_ptr<ProcessService> process_service_;
  std::unique_ptr<EventService> event_service_;
  std::unique_ptr<SystemService> system_service_;
  std::unique_ptr<TemplateService> template_service_;
  std::unique_ptr<MockService> mock_service_;  // Null without mock backends.
  std::unique_ptr<GrpcServer> server_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_APP_APP_H_
