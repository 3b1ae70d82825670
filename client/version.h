// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_VERSION_H_
#define VCD_CLIENT_VERSION_H_

namespace vcd::client {

// The release of `vc`, a semantic version.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace vcd::client

#endif  // VCD_CLIENT_VERSION_H_
