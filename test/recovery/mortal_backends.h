// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_RECOVERY_MORTAL_BACKENDS_H_
#define VCD_TEST_RECOVERY_MORTAL_BACKENDS_H_

#include "core/pod/pod_runtime.h"
#include "test/recovery/crash_point.h"

namespace vcd {

// A daemon's view of backends that outlive it: each call that changes something is a step before and a step after. A
// dead daemon's calls do nothing, and it hears nothing. All of `world` and `life` outlive the result.
Backends MortalBackends(Backends& world, CrashPoint& life);

}  // namespace vcd

#endif  // VCD_TEST_RECOVERY_MORTAL_BACKENDS_H_
