// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_FAULTS_H_
#define VCD_DAEMON_CHECK_FAULTS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd {

// Everything that a check can find wrong with a host. In the order of kFaults in faults.cc.
enum class Fault {
  kKvmConfigured,
  kNestingOff,
  kNoVirtualization,
  kKvmMissing,
  kKvmDenied,
  kKvmPvm,
  kKvmBroken,
  kQemuMissing,
  kQemuNotExecutable,
  kQemuBroken,
  kQemuOld,
  kQemuPartMissing,
  kQemuWithoutShares,
  kFirmwareMissing,
  kKernelMissing,
  kKernelCompressed,
  kKernelKind,
  kKernelWithoutPvh,
  kInitrdMissing,
  kInitrdCompressed,
  kInitrdKind,
  kInitrdWithoutAgent,
  kVirtiofsdMissing,
  kVirtiofsdNotExecutable,
  kMemoryShort,
  kOvercommit,
  kNoHugePages,
  kNoCgroups,
  kCgroupControllers,
  kCgroupReadOnly,
  kDirectoryIsNone,
  kDirectoryDenied,
  kDirectoryReadOnly,
  kDirectoryFull,
  kDirectoryLow,
  kDirectoryInodes,
  kDirectoryNetwork,
  kHostKernelOld,
  kSystemCalls,
  kMountCalls,
  kNoSeccomp,
  kNoUserNamespaces,
  kNotRoot,
  kUidRangeTaken,
  kSubuidRangeTaken,
  kNoTap,
  kNoVhostNet,
  kNoVsock,
  kNoVfio,
  kNoIommu,
  kNoCniPlugins,
  kNoErofsUtils,
  kFewDescriptors,
  kFewProcesses,
  kFewPids,
  kFewThreads,
  kCoreFiles,
  kCorePipe,
  kClockEarly,
  kClockBack,
  kNoGroup,
  kSocketDirectoryOpen,
  kSocketOpen,
  kSocketPathTaken,
  kListenTcp,
  kMetricsOpen,
  kDaemonRuns,
  kCount,
};

// What is always the same of a fault; what was found in the place at hand comes as the result's detail.
struct FaultText {
  Fault fault;
  const char* check;  // CheckResult.name.
  v1::CheckLevel level;
  const char* what;
  const char* remedy;
};

// All of them, in the order of the enumeration.
absl::Span<const FaultText> AllFaults();
const FaultText& TextOf(Fault fault);

// What the checks found. One thread.
class Findings {
 public:
  // The check found what it looked for: `detail`.
  void Good(const std::string& check, const std::string& detail);
  // Something stands in the way; the detail is put behind what the fault is.
  void Bad(Fault fault, const std::string& detail);

  const std::vector<v1::CheckResult>& results() const { return results_; }

 private:
  std::vector<v1::CheckResult> results_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_FAULTS_H_
