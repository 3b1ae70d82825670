// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_MOCK_MOCK_FILES_H_
#define VCD_BACKENDS_MOCK_MOCK_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/os/run_file.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

// What there is of a mock machine, in the run directory of its pod.
namespace vcd {

// The machine: there while it runs, and says which it is.
inline std::string MockMachineFile(const std::string& run_dir) { return run_dir + "/mock-machine"; }

// Its guest, when the mock agent plays it.
inline std::string MockGuestFile(const std::string& run_dir) { return run_dir + "/mock-guest"; }

// Tells machines apart, also those of one pod one after the other.
inline std::string MockMachineIdentity(const state::v1::VirtualMachine& record) {
  return absl::StrCat(record.process().start_time_ticks(), " ", record.process().boot_id());
}

// OK when there are none.
inline absl::Status RemoveMockFiles(const std::string& run_dir) {
  absl::Status removed = RemoveFile(MockMachineFile(run_dir));
  removed.Update(RemoveFile(MockGuestFile(run_dir)));
  removed.Update(RemoveFile(MockGuestFile(run_dir) + ".tmp"));
  return removed;
}

}  // namespace vcd

#endif  // VCD_BACKENDS_MOCK_MOCK_FILES_H_
