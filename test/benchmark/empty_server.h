// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_BENCHMARK_EMPTY_SERVER_H_
#define VCD_TEST_BENCHMARK_EMPTY_SERVER_H_

#include <string>

namespace vcd {

// Serves EmptyService at `address` with gRPC's callback API, as vcd does, until standard input ends. Returns the exit
// code.
int ServeEmpty(const std::string& address);

}  // namespace vcd

#endif  // VCD_TEST_BENCHMARK_EMPTY_SERVER_H_
