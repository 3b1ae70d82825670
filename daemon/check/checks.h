// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_CHECKS_H_
#define VCD_DAEMON_CHECK_CHECKS_H_

#include "absl/time/time.h"
#include "daemon/check/faults.h"
#include "daemon/check/host.h"
#include "daemon/check/program_answers.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"

// The checks, by subject. Each looks at the host through `subject.host` alone and adds one good result, or what is
// wrong.
namespace vcd {

struct CheckSubject {
  const Host& host;
  const config::v1::DaemonConfig& config;  // Its defaults filled in.
  bool serving = false;                    // This process is the daemon: its lock and socket are its own.
  ProgramAnswers& answers;
  absl::Time deadline;  // For programs that are run.

  // A mock pod needs nothing of the host's.
  bool real_machines() const { return config.hypervisor() == "qemu"; }
};

// vmm_check.cc: what a machine runs with. Only where pods have one.
void CheckAccelerator(const CheckSubject& subject, Findings& findings);
void CheckQemu(const CheckSubject& subject, Findings& findings);
void CheckVirtiofsd(const CheckSubject& subject, Findings& findings);
void CheckFirmware(const CheckSubject& subject, Findings& findings);
// guest_check.cc: what a machine boots.
void CheckKernel(const CheckSubject& subject, Findings& findings);
void CheckInitramfs(const CheckSubject& subject, Findings& findings);
// capacity_check.cc: what there is enough of.
void CheckMemory(const CheckSubject& subject, Findings& findings);
void CheckHugePages(const CheckSubject& subject, Findings& findings);
void CheckDirectories(const CheckSubject& subject, Findings& findings);
void CheckLimits(const CheckSubject& subject, Findings& findings);
// kernel_check.cc: what the host's kernel can do.
void CheckCgroups(const CheckSubject& subject, Findings& findings);
void CheckHostKernel(const CheckSubject& subject, Findings& findings);
void CheckSystemCalls(const CheckSubject& subject, Findings& findings);
void CheckSeccomp(const CheckSubject& subject, Findings& findings);
void CheckUserNamespaces(const CheckSubject& subject, Findings& findings);
void CheckCoreDumps(const CheckSubject& subject, Findings& findings);
void CheckClock(const CheckSubject& subject, Findings& findings);
// optional_check.cc: what only some pods want.
void CheckDevices(const CheckSubject& subject, Findings& findings);
void CheckCni(const CheckSubject& subject, Findings& findings);
void CheckImageTools(const CheckSubject& subject, Findings& findings);
// access_check.cc: who may do what.
void CheckPrivileges(const CheckSubject& subject, Findings& findings);
void CheckUidRange(const CheckSubject& subject, Findings& findings);
void CheckSocket(const CheckSubject& subject, Findings& findings);
void CheckMetrics(const CheckSubject& subject, Findings& findings);
void CheckOtherDaemon(const CheckSubject& subject, Findings& findings);

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_CHECKS_H_
