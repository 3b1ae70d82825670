// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_APP_BACKEND_CATALOG_H_
#define VCD_DAEMON_APP_BACKEND_CATALOG_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/mock/mock_control.h"
#include "core/os/io_thread.h"
#include "core/pod/pod_runtime.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd {

// The backends that this daemon has, and what it tells of them.
struct BackendCatalog {
  Backends backends;
  v1::AcceleratorInfo accelerator;
  // What goes wrong with mock pods; null in a catalogue without mock backends.
  std::shared_ptr<MockControl> mock;
};

// How a daemon gets its backends; tests bring others. `io` outlives them.
using BackendFactory =
    std::function<absl::StatusOr<BackendCatalog>(const config::v1::DaemonConfig& config, IoThread& io)>;

// All backends of this build, as configured, and the defaults, unchecked. kInvalidArgument when a backend refuses its
// configuration. Blocks for up to some seconds while it finds out what accelerates.
absl::StatusOr<BackendCatalog> MakeBackendCatalog(const config::v1::DaemonConfig& config, IoThread& io);

// What GetInfo says of the backends.
std::vector<v1::BackendInfo> DescribeBackends(const Backends& backends);

// kInvalidArgument with UNKNOWN_BACKEND, listing the known ones, unless each default is there.
absl::Status CheckDefaults(const Backends& backends);

}  // namespace vcd

#endif  // VCD_DAEMON_APP_BACKEND_CATALOG_H_
