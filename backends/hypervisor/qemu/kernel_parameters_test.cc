// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/kernel_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

v1::HypervisorConfig WithParam(const std::string& key, const std::string& value) {
  v1::HypervisorConfig config;
  v1::Param* param = config.add_kernel_params();
  param->set_key(key);
  param->set_value(value);
  return config;
}

TEST(KernelParametersTest, PodsOwnComeLast) {
  v1::HypervisorConfig config = WithParam("panic", "5");
  config.add_kernel_params()->set_key("nokaslr");
  config.add_kernel_params()->set_value("single");
  EXPECT_THAT(KernelCommandLine(config), EndsWith(" panic=5 nokaslr single"));
}

TEST(KernelParametersTest, DebugSpeaks) {
  v1::HypervisorConfig config;
  EXPECT_THAT(KernelCommandLine(config), HasSubstr(" quiet "));
  config.set_debug(true);
  EXPECT_THAT(KernelCommandLine(config), Not(HasSubstr("quiet")));
}

TEST(KernelParametersTest, RefusesWhatIsNoParameter) {
  struct Case {
    const char* key;
    const char* value;
  };
  for (const Case& c : {Case{"", ""}, {"a b", ""}, {"a", "b c"}, {"a\nb", "c"}, {"a", "\tb"}, {"a", "b\x7f"}}) {
    absl::Status status = CheckKernelParameters(WithParam(c.key, c.value));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.key;
    EXPECT_THAT(std::string(status.message()), HasSubstr("hypervisor_config.kernel_params[0]"));
  }
  EXPECT_TRUE(CheckKernelParameters(WithParam("ip", "::::::x::off::")).ok());
  EXPECT_EQ(CheckKernelParameters(WithParam("x", std::string(3000, 'x'))).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vcd
