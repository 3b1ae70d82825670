// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_HARNESS_HTTP_CLIENT_H_
#define VCD_TEST_HARNESS_HTTP_CLIENT_H_

#include <optional>
#include <string>

#include "core/os/unique_fd.h"

namespace vcd {

// A connection that sends what bytes a test likes. Blocks, for half a minute at most.
class HttpConnection {
 public:
  // To `unix:///PATH` or `127.0.0.1:PORT`. Not connected when nobody listens.
  explicit HttpConnection(const std::string& address);

  bool connected() const { return fd_.valid(); }

  // False when the other side has closed.
  bool Send(const std::string& bytes);

  // All until the other side closes; what came before when it resets the connection.
  std::string ReadToEnd();

 private:
  UniqueFd fd_;
};

// The response to GET of the path; empty when there is none.
std::string HttpGet(const std::string& address, const std::string& path = "/metrics");

// The value of a series such as `vcd_pods{state="running"}` in Prometheus' text; none when it is not there.
std::optional<double> MetricValue(const std::string& text, const std::string& series);

}  // namespace vcd

#endif  // VCD_TEST_HARNESS_HTTP_CLIENT_H_
