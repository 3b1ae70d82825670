// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_FILE_OPTIONS_H_
#define VCD_CLIENT_POD_FILE_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/arguments.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {

// What a container sees of the host's files and devices: the options that `run`, `create` and `container create` share.
// All errors are INVALID_ARGUMENT and name the option.
class FileOptions {
 public:
  void Declare(Arguments* arguments);
  absl::Status Apply(v1::ContainerConfig* container) const;

 private:
  std::vector<std::string> volumes_;
  std::vector<std::string> mounts_;
  std::vector<std::string> devices_;
};

// The volumes of a pod.
class VolumeOptions {
 public:
  void Declare(Arguments* arguments);
  absl::Status Apply(v1::PodConfig* config) const;

 private:
  std::vector<std::string> volumes_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_FILE_OPTIONS_H_
