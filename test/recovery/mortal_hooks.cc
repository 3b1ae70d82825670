// SPDX-License-Identifier: Apache-2.0
#include "test/recovery/mortal_hooks.h"

#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

class NoProcess : public HeldProcess {
 public:
  pid_t pid() const override { return 1; }
};

}  // namespace

void HookedHost::Run(const HookCall& call) {
  const std::string who = call.container_id.empty() ? call.pod_id : absl::StrCat(call.pod_id, "/", call.container_id);
  MutexLock lock(&mu_);
  if (call.kind == HookKind::kPrestart) taken_.insert(who);
  if (call.kind == HookKind::kPoststop) taken_.erase(who);
}

std::set<std::string> HookedHost::taken() const {
  MutexLock lock(&mu_);
  return taken_;
}

absl::Status MortalHookRunner::Run(const HookCall& call, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(HookName(call)));
  VCD_RETURN_IF_ERROR(life_.Reach(HookName(call)));
  host_.Run(call);
  return life_.Reach(absl::StrCat(HookName(call), ", done"));
}

absl::StatusOr<std::unique_ptr<HeldProcess>> MortalHookRunner::Hold(const std::string&, const std::string&) {
  return std::make_unique<NoProcess>();
}

}  // namespace vcd
