// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETWORK_TESTING_NETWORK_CONTRACT_H_
#define VCD_CORE_NETWORK_TESTING_NETWORK_CONTRACT_H_

#include <functional>
#include <memory>
#include <string>

#include "core/network/network.h"
#include "core/os/testing/temporary_directory.h"
#include "gtest/gtest.h"

namespace vcd {

// What a backend brings to the contract.
struct NetworkContractParams {
  std::string name;
  std::function<std::unique_ptr<Network>()> make;
  // A configuration that it takes.
  v1::NetworkConfig accepted;
};

// What every Network does. A backend's test says
// INSTANTIATE_TEST_SUITE_P(None, NetworkContract, testing::Values(NetworkContractParams{…}), NetworkContractName).
class NetworkContract : public testing::TestWithParam<NetworkContractParams> {
 protected:
  // A pod of that id with the configuration that the backend takes, and directories of its own.
  NetworkPod Of(const std::string& pod_id) const;

  TemporaryDirectory directory_;
  std::unique_ptr<Network> network_ = GetParam().make();
};

inline std::string NetworkContractName(const testing::TestParamInfo<NetworkContractParams>& info) {
  return info.param.name;
}

}  // namespace vcd

#endif  // VCD_CORE_NETWORK_TESTING_NETWORK_CONTRACT_H_
