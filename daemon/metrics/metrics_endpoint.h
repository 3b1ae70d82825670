// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_METRICS_METRICS_ENDPOINT_H_
#define VCD_DAEMON_METRICS_METRICS_ENDPOINT_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/os/io_thread.h"
#include "daemon/metrics/metrics_address.h"

namespace vcd {

// What a client may ask of the endpoint.
struct MetricsEndpointLimits {
  size_t max_connections = 32;  // Beyond it the oldest that has not asked yet goes.
  size_t max_request_bytes = 8 << 10;
  absl::Duration request_time = absl::Seconds(5);    // From the connection to the complete request.
  absl::Duration response_time = absl::Seconds(10);  // To take the answer.
};

// Answers GET /metrics over HTTP. On one thread of its own, whatever the number of connections: a scraper cannot hold
// up the thread that pods depend on, and is answered when all workers hang.
class MetricsEndpoint {
 public:
  // Listens and serves what `render` returns, which is called on the endpoint's thread and must not wait for pods.
  // `content_type` is what it is. Errors as ListenForMetrics.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const MetricsAddress& address, std::string content_type,
                                                                std::function<std::string()> render,
                                                                const MetricsEndpointLimits& limits = {});

  // Closes every connection, and removes the socket's file.
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

  // With the port that was found for port 0.
  const MetricsAddress& address() const { return address_; }

 private:
  class Server;
  class Connection;

  explicit MetricsEndpoint(MetricsAddress address) : address_(std::move(address)) {}

  MetricsAddress address_;
  IoThread io_;
  std::shared_ptr<Server> server_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_METRICS_METRICS_ENDPOINT_H_
