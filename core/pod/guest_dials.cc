// SPDX-License-Identifier: Apache-2.0
#include "core/pod/guest_dials.h"

#include <signal.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/agent/guest_error.h"
#include "core/log/logger.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr absl::Duration kSignalTime = absl::Seconds(10);

}  // namespace

absl::Status Dial(Pod& pod, const ProcessKey& key, const GuestDial& dial, const CallContext& context) {
  GuestProcess process;
  process.key = key;
  pod.AddExecProcess(process);
  const std::shared_ptr<ProcessEntry> entry = pod.FindProcess(key);
  const absl::StatusOr<int32_t> pid = pod.session()->ExecDial(key, dial, context);
  if (pid.ok()) {
    entry->set_guest_pid(*pid);
    return absl::OkStatus();
  }
  if (absl::IsDeadlineExceeded(pid.status())) {
    EndDial(pod, *entry);  // It may come yet.
  } else {
    pod.RemoveProcess(key);
  }
  if (!absl::IsUnimplemented(pid.status())) return Annotate(pid.status(), absl::StrCat("pod ", pod.id()));
  return WithDetail(Annotate(pid.status(), absl::StrCat("pod ", pod.id())), {v1::ERROR_REASON_NOT_IMPLEMENTED, {}});
}

void EndDial(Pod& pod, ProcessEntry& dial) {
  // Whoever learns of its end after this forgets it.
  dial.Abandon();
  if (dial.end().has_value()) return pod.ForgetDial(dial.key());
  const absl::Status ended = pod.guest().Signal(dial.key(), SIGKILL, /*all=*/false, absl::Now() + kSignalTime);
  if (absl::IsNotFound(ended)) return pod.RemoveProcess(dial.key());
  if (!ended.ok()) LogWarning(pod.id(), absl::StrCat("end ", DescribeProcess(dial.key()), ": ", ended.message()));
}

void EndAbandonedDials(Pod& pod) {
  for (const std::shared_ptr<ProcessEntry>& dial : pod.AbandonedDials()) EndDial(pod, *dial);
}

}  // namespace vcd
