// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_TESTING_CALL_SCRIPT_H_
#define VCD_CORE_OS_TESTING_CALL_SCRIPT_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"

namespace vcd {

// What becomes of the calls of a fake, and the record of them. A fake enters each call under the name of its step; a
// test says which of them fail or hang. Thread-safe.
class CallScript {
 public:
  // The n-th call of the step from now on (1 is the next) fails with `error`. Of several faults that meet in a call the
  // one that was said first comes upon it, and the next upon the call after it.
  void FailNth(const std::string& step, int n, absl::Status error);
  // The n-th call of the step from now on hangs.
  void HangNth(const std::string& step, int n);
  // Forgets the failures and hangs that have not happened.
  void ForgetFaults();
  // Blocks until some call hangs in the step; false when there is none after ten seconds.
  bool WaitUntilHanging(const std::string& step);
  // What was called, in order: "Boot pod-1". Calls that failed count too.
  std::vector<std::string> calls() const;

  // Records a call about `what` and plays its fault: OK when the fake is to do it. One that hangs returns what `hang`
  // does, which blocks for as long as the call is to hang.
  absl::Status Enter(const std::string& step, const std::string& what, const std::function<absl::Status()>& hang);
  // One that hangs blocks until the context ends, and returns its status.
  absl::Status Enter(const std::string& step, const std::string& what, const CallContext& context);

 private:
  struct Fault {
    std::string step;
    int calls_before;                   // That are still to come.
    std::optional<absl::Status> error;  // None: hang.
  };

  // What comes upon the next call of the step, if anything does.
  std::optional<Fault> TakeFault(const std::string& step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  CondVar changed_;
  std::vector<Fault> faults_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> hanging_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_OS_TESTING_CALL_SCRIPT_H_
