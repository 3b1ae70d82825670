// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_CONFIG_FILE_H_
#define VCD_CLIENT_POD_CONFIG_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {

// Reads a PodConfig as JSON or YAML out of `path`, or out of `stdin_fd` when that is "-". Blocks until its end.
// INVALID_ARGUMENT names the file, and the field that is unknown or has a value of another kind.
absl::StatusOr<v1::PodConfig> ReadPodConfig(const std::string& path, int stdin_fd);

// The same for text; `name` stands in messages.
absl::StatusOr<v1::PodConfig> ParsePodConfig(const std::string& name, const std::string& text);

// Reads a seccomp profile in the form of `linux.seccomp` of the OCI runtime specification, which is that of
// SeccompProfile.
absl::StatusOr<v1::SeccompProfile> ReadSeccompProfile(const std::string& path);

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_CONFIG_FILE_H_
