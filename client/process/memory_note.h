// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_PROCESS_MEMORY_NOTE_H_
#define VCD_CLIENT_PROCESS_MEMORY_NOTE_H_

#include <string>

#include "client/invocation.h"
#include "proto/vcd/v1/process.pb.h"

namespace vcd::client {

// Says on standard error that a process was ended for want of memory, how much there was and how there is more: its
// exit status is that of SIGKILL, which says none of it. `process_id` is empty for the container's first. Nothing for
// one that ended otherwise. Asks the daemon for the limit, and does without it after a few seconds.
void TellOfMemory(Invocation* invocation, const std::string& pod_id, const std::string& container_id,
                  const std::string& process_id, const v1::ExitStatus& status);

}  // namespace vcd::client

#endif  // VCD_CLIENT_PROCESS_MEMORY_NOTE_H_
