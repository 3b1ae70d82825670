// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_NETWORK_OPTIONS_H_
#define VCD_CLIENT_POD_NETWORK_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/arguments.h"
#include "proto/vcd/v1/network.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {

// What a pod asks of a CNI network: the options that `run`, `create` and `network attach` share. All errors are
// INVALID_ARGUMENT and name the option.
class AddressOptions {
 public:
  void Declare(Arguments* arguments);
  // Whether any was given.
  bool given() const { return !ports_.empty() || !ips_.empty() || !mac_.empty(); }
  absl::Status Apply(v1::CniNetwork* network) const;

 private:
  std::vector<std::string> ports_;
  std::vector<std::string> ips_;
  std::string mac_;
};

// Which networks a pod joins: the options that `run` and `create` share.
class NetworkOptions {
 public:
  void Declare(Arguments* arguments);
  absl::Status Apply(v1::PodConfig* config) const;

 private:
  std::string network_;
  std::string join_;
  std::vector<std::string> passthrough_;
  AddressOptions addresses_;
};

// `[HOSTIP:]HOSTPORT:PORT[/PROTO]`; an IPv6 address stands in brackets.
absl::StatusOr<v1::PortMapping> ParsePortMapping(const std::string& option, const std::string& text);

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_NETWORK_OPTIONS_H_
