// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_RECOVERY_MORTAL_HOOKS_H_
#define VCD_TEST_RECOVERY_MORTAL_HOOKS_H_

#include <memory>
#include <set>
#include <string>

#include "core/hook/hook_runner.h"
#include "core/os/mutex.h"
#include "test/recovery/crash_point.h"

namespace vcd {

// What hooks do to a host: prestart of "web" or "web/main" takes something, poststop gives it back, as often as it
// likes.
class HookedHost {
 public:
  void Run(const HookCall& call);
  // Who has something, sorted.
  std::set<std::string> taken() const;

 private:
  mutable Mutex mu_;
  std::set<std::string> taken_ ABSL_GUARDED_BY(mu_);
};

// A daemon's hooks on that host: each is a step before and a step after, and a dead daemon runs none.
class MortalHookRunner : public HookRunner {
 public:
  // Both outlive it.
  MortalHookRunner(HookedHost& host, CrashPoint& life) : host_(host), life_(life) {}

  absl::Status Run(const HookCall& call, const CallContext& context) override;
  absl::StatusOr<std::unique_ptr<HeldProcess>> Hold(const std::string& pod_id, const std::string& netns_path) override;

 private:
  HookedHost& host_;
  CrashPoint& life_;
};

}  // namespace vcd

#endif  // VCD_TEST_RECOVERY_MORTAL_HOOKS_H_
