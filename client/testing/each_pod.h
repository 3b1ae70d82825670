// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_EACH_POD_H_
#define VCD_CLIENT_TESTING_EACH_POD_H_

#include <string>

namespace vcd::client {

// Expects that `vc VERB a b` calls `method` for both pods and prints the ids; and where `a` is not there, complains of
// it in the words `missing`, and goes on with `b`.
void ExpectDoneToEachPod(const std::string& verb, const std::string& method, const std::string& missing);

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_EACH_POD_H_
