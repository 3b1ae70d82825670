// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_PROCESS_RECORD_H_
#define VCD_CORE_HYPERVISOR_PROCESS_RECORD_H_

#include "core/os/process.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// A process as the state record keeps it, and back.
inline state::v1::ProcessIdentity ToRecord(const ProcessIdentity& identity) {
  state::v1::ProcessIdentity record;
  record.set_pid(identity.pid);
  record.set_start_time_ticks(identity.start_time_ticks);
  record.set_boot_id(identity.boot_id);
  return record;
}

inline ProcessIdentity FromRecord(const state::v1::ProcessIdentity& record) {
  return {record.pid(), record.start_time_ticks(), record.boot_id()};
}

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_PROCESS_RECORD_H_
