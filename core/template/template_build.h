// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_TEMPLATE_TEMPLATE_BUILD_H_
#define VCD_CORE_TEMPLATE_TEMPLATE_BUILD_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/agent/agent.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/cancellation.h"

namespace vcd {

// Boots a machine of no pod, waits until its agent answers and for `settle` more, and writes it to `image_dir`, which
// exists and is empty. The machine has ended afterwards, whatever came of it, and its run directory (`spec.run_dir`,
// made here) is gone. Its guest has heard nothing of any pod. Blocks.
absl::Status BuildTemplate(Hypervisor& hypervisor, Agent& agent, VmSpec spec, const std::string& image_dir,
                           absl::Duration settle, const CallContext& context);

// Ends the machine of a run directory, and removes that.
absl::Status RemoveTemplateMachine(Hypervisor& hypervisor, const std::string& run_dir);

}  // namespace vcd

#endif  // VCD_CORE_TEMPLATE_TEMPLATE_BUILD_H_
