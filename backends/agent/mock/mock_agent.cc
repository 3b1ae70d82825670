// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/mock/mock_agent.h"

#include <algorithm>
#include <utility>

#include "backends/agent/mock/mock_session.h"
#include "backends/mock/mock_behavior.h"
#include "backends/mock/mock_files.h"
#include "core/agent/guest_error.h"
#include "core/status/status_macros.h"

namespace vcd {

MockAgent::MockAgent(IoThread& io, std::shared_ptr<MockControl> control)
    : io_(io), control_(control != nullptr ? std::move(control) : std::make_shared<MockControl>(io)) {}

std::shared_ptr<MockGuest> MockAgent::Find(const GuestSpec& spec, const std::string& machine) {
  {
    MutexLock lock(&mu_);
    const auto found = guests_.find(spec.run_dir);
    if (found != guests_.end()) {
      std::shared_ptr<MockGuest> guest = found->second.lock();
      if (guest != nullptr && guest->machine() == machine) return guest;
    }
  }
  // One connection of a pod at a time: nobody else opens it meanwhile.
  std::shared_ptr<MockGuest> guest = MockGuest::Open(io_, control_, spec.pod_id, spec.run_dir, machine);
  MutexLock lock(&mu_);
  guests_[spec.run_dir] = guest;
  if (guests_.size() >= sweep_at_) {
    for (auto it = guests_.begin(); it != guests_.end();) it = it->second.expired() ? guests_.erase(it) : std::next(it);
    sweep_at_ = std::max<size_t>(64, 2 * guests_.size());
  }
  return guest;
}

absl::StatusOr<std::unique_ptr<GuestSession>> MockAgent::Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                                 GuestObserver& observer, const CallContext& context) {
  const std::shared_ptr<MockGuest> guest = Find(spec, MockMachineIdentity(machine.Record()));
  control_->AddGuest(spec.pod_id, guest);
  VCD_RETURN_IF_ERROR(
      control_->Enter(spec.pod_id, MockOperation::kConnect, context, [guest] { return guest->status(); }));
  // It may have been told to be silent from some moment on.
  guest->BehaviorChanged();
  return std::make_unique<MockSession>(io_, control_, guest, observer, spec.pod_id);
}

}  // namespace vcd
