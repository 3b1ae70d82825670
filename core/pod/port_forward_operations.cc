// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/model/ids.h"
#include "core/pod/guest_dials.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/status_macros.h"

namespace vcd {

void LivePodRuntime::PortForward(const std::string& pod_id, const GuestDial& dial, absl::Time deadline,
                                 std::function<void(absl::StatusOr<ProcessKey>)> done) {
  Operation operation;
  operation.name = "PortForward";
  operation.options.deadline = deadline;
  operation.mode = LockMode::kShared;
  operation.ceiling = absl::Seconds(30);
  const ProcessKey key{"", absl::StrCat("dial-", GenerateId())};
  Submit(
      pod_id, operation,
      [key, dial](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kPortForward, pod.id(), pod.state()));
        return Dial(pod, key, dial, grant.context);
      },
      [key, done = std::move(done)](const absl::Status& status) { status.ok() ? done(key) : done(status); });
}

void LivePodRuntime::EndPortForward(const std::string& pod_id, const ProcessKey& process) {
  work_.Post([this, pod_id, process] {
    const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
    if (!pod.ok()) return;
    const std::shared_ptr<ProcessEntry> entry = (*pod)->FindProcess(process);
    if (entry == nullptr) return;
    entry->Abandon();
    // A guest that stands still is asked when it goes on.
    if ((*pod)->state() != v1::POD_STATE_PAUSED) EndDial(**pod, *entry);
  });
}

}  // namespace vcd
