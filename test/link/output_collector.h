// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_LINK_OUTPUT_COLLECTOR_H_
#define VCD_TEST_LINK_OUTPUT_COLLECTOR_H_

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/agent/agent.h"
#include "core/os/mutex.h"

namespace vcd {

// Puts the output of processes together over many sessions, as a log does: by offset, acknowledged once it is here.
// Any thread. Waits end after a minute.
class OutputCollector : public GuestObserver {
 public:
  // The session that output comes from next, to be acknowledged there unless `acknowledge` is false. Before it
  // observes.
  void Begin(GuestSession* session, bool acknowledge = true) ABSL_LOCKS_EXCLUDED(mu_);

  // Acknowledges what came so far, and what comes.
  void AcknowledgeAll() ABSL_LOCKS_EXCLUDED(mu_);

  std::string Output(const ProcessKey& process, StdStream stream = StdStream::kStdout) const ABSL_LOCKS_EXCLUDED(mu_);
  // Of the session that began last.
  int Exits(const ProcessKey& process) const ABSL_LOCKS_EXCLUDED(mu_);
  // Bytes that did not fit to those before, gaps, and what was told after the end; empty when all is well.
  std::string complaints() const ABSL_LOCKS_EXCLUDED(mu_);

  // False when it does not come, or the guest is lost.
  bool WaitForOutput(const ProcessKey& process, size_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<v1::ExitStatus> WaitForExit(const ProcessKey& process) ABSL_LOCKS_EXCLUDED(mu_);
  // Why; OK when it is not lost.
  absl::Status WaitForLoss() ABSL_LOCKS_EXCLUDED(mu_);

  void OnOutput(const ProcessKey& process, StdStream stream, uint64_t offset, std::string data) override;
  void OnProcessExit(const ProcessKey& process, const v1::ExitStatus& status) override;
  void OnOutOfMemory(const std::string&, uint64_t) override {}
  void OnMemoryPressure(double) override {}
  void OnGuestLost(const absl::Status& why) override;

 private:
  using StreamKey = std::pair<ProcessKey, StdStream>;
  struct End {
    v1::ExitStatus status;
    int told = 0;
  };

  mutable Mutex mu_;
  CondVar changed_;
  GuestSession* session_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool acknowledge_ ABSL_GUARDED_BY(mu_) = true;
  std::map<StreamKey, std::string> output_ ABSL_GUARDED_BY(mu_);
  std::map<ProcessKey, End> ends_ ABSL_GUARDED_BY(mu_);
  absl::Status lost_ ABSL_GUARDED_BY(mu_);
  std::string complaints_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_TEST_LINK_OUTPUT_COLLECTOR_H_
