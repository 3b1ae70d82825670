// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POD_OPTION_TEXT_H_
#define VCD_CLIENT_POD_OPTION_TEXT_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "proto/vcd/v1/process.pb.h"

// Values of options as people write them. All errors are INVALID_ARGUMENT: `OPTION "text": what it must be`.
namespace vcd::client {

// `key=value`; the value may hold more '='.
absl::StatusOr<std::pair<std::string, std::string>> KeyAndValue(const std::string& option, const std::string& text);

// The whole path: the daemon works in another directory.
absl::StatusOr<std::string> AbsolutePath(const std::string& option, const std::string& path);

// The same, of a directory: without a slash at its end.
absl::StatusOr<std::string> DirectoryPath(const std::string& option, const std::string& path);

// Bytes, or with a `k`, `m` or `g` at the end so many KiB, MiB or GiB.
absl::StatusOr<uint64_t> Bytes(const std::string& option, const std::string& text);

// `nofile=SOFT[:HARD]`; `unlimited` and -1 are no limit.
absl::StatusOr<v1::Rlimit> Ulimit(const std::string& option, const std::string& text);

// `CAP_NET_ADMIN` out of that or `net_admin`.
absl::StatusOr<std::string> Capability(const std::string& option, const std::string& text);

}  // namespace vcd::client

#endif  // VCD_CLIENT_POD_OPTION_TEXT_H_
