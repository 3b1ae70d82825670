// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HOOK_TESTING_FAKE_HOOK_RUNNER_H_
#define VCD_CORE_HOOK_TESTING_FAKE_HOOK_RUNNER_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/hook/hook_runner.h"
#include "core/os/mutex.h"

namespace vcd {

// Remembers what it was to run, and fails or hangs when told to. Thread-safe.
class FakeHookRunner : public HookRunner {
 public:
  absl::Status Run(const HookCall& call, const CallContext& context) override;
  absl::StatusOr<std::unique_ptr<HeldProcess>> Hold(const std::string& pod_id, const std::string& netns_path) override;

  // Runs of the program at `path` fail with that exit, or last until their time is over or they are cancelled.
  void Fail(const std::string& path, const std::string& problem);
  void Hang(const std::string& path);
  // Called at the begin of each run, without locks.
  void OnRun(std::function<void(const HookCall&)> on_run);

  // "prestart /bin/a", "main: create_runtime /bin/b", …, in the order in which they began; an empty list after it.
  std::vector<std::string> TakeRuns();
  // The last run of that program.
  HookCall call(const std::string& path) const;
  // Until a run of that program has begun; false when that takes half a minute.
  bool AwaitRun(const std::string& path) const;
  // Processes that are held now, and the namespace that the last one was made in.
  int held() const;
  std::string held_netns() const;

  // Pids of what is held are from here on.
  static constexpr pid_t kFirstHeldPid = 1000000;

 private:
  class Held;

  mutable Mutex mu_;
  mutable CondVar began_;
  std::map<std::string, std::string> failures_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> hanging_ ABSL_GUARDED_BY(mu_);
  std::function<void(const HookCall&)> on_run_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> runs_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, HookCall> calls_ ABSL_GUARDED_BY(mu_);
  int held_ ABSL_GUARDED_BY(mu_) = 0;
  int ever_held_ ABSL_GUARDED_BY(mu_) = 0;
  std::string held_netns_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_HOOK_TESTING_FAKE_HOOK_RUNNER_H_
