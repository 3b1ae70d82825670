// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_RESOURCE_OPTIONS_H_
#define VCD_CLIENT_POD_RESOURCE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/arguments.h"
#include "proto/vcd/v1/container.pb.h"

namespace vcd::client {

// What a container may use: the options that `run`, `create` and `update` share.
class ResourceOptions {
 public:
  // `short_names`: also --memory and --cpus, which for a verb that makes a pod are those of the guest.
  explicit ResourceOptions(bool short_names) : short_names_(short_names) {}

  void Declare(Arguments* arguments);

  // Whether any was given.
  bool given() const;

  // Puts what was given into `resources`. INVALID_ARGUMENT names the option.
  absl::Status Apply(v1::ContainerResources* resources) const;

 private:
  const bool short_names_;
  std::string memory_;
  std::string memory_reservation_;
  std::string memory_swap_;
  std::string cpus_;
  std::string pids_;
  std::optional<uint32_t> cpu_shares_;
  std::string cpuset_cpus_;
  std::string cpuset_mems_;
  std::optional<uint32_t> io_weight_;
  std::vector<std::string> unified_;
};

// `512m`, `2g`, `1000000`: bytes with k, m, g or t for powers of 1024; `none` and -1 are -1.
absl::StatusOr<int64_t> ParseSize(const std::string& option, const std::string& text);

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_RESOURCE_OPTIONS_H_
