// SPDX-License-Identifier: Apache-2.0
// The link over the virtio-serial port of a real, emulated machine, which boots once.
#include "test/link/link_contract.h"
#include "test/link/machine_transport.h"

namespace vcd {
namespace {

INSTANTIATE_TEST_SUITE_P(VirtioSerial, LinkContractTest,
                         ::testing::Values(LinkContractParam{"VirtioSerial",
                                                             [] { return std::make_unique<MachineTransport>(); },
                                                             guest::TestMachine::WhyNot}),
                         LinkContractName);

}  // namespace
}  // namespace vcd
