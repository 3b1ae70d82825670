// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_LAUNCH_WIRE_H_
#define VCD_GUEST_AGENT_LAUNCH_WIRE_H_

// What goes over a launched process's status socket: kLaunchHeld when it holds, and with that byte the master of its
// terminal if it has one (SCM_RIGHTS); kLaunchFailed, a byte with the error code and the message if something fails
// before or after.
namespace vcd::guest {

inline constexpr char kLaunchHeld = 'H';
inline constexpr char kLaunchFailed = 'F';

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_LAUNCH_WIRE_H_
