// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_TESTING_RECORDING_OBSERVER_H_
#define VCD_CORE_AGENT_TESTING_RECORDING_OBSERVER_H_

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/agent/agent.h"
#include "core/os/mutex.h"

namespace vcd {

// Keeps what a session tells, and waits for it. Checks what every agent promises: output without gaps, nothing after a
// process's exit, nothing after the guest's end. Thread-safe; the waiting calls give up after twenty seconds.
class RecordingObserver : public GuestObserver {
 public:
  // From now on acknowledges all output to this session, what was told before included; null stops that.
  void AcknowledgeTo(GuestSession* session) ABSL_LOCKS_EXCLUDED(mu_);

  // What the stream was told so far, from where it began.
  std::string Output(const ProcessKey& process, StdStream stream) const ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<v1::ExitStatus> Exit(const ProcessKey& process) const ABSL_LOCKS_EXCLUDED(mu_);
  // Broken promises, for people; empty when there are none.
  std::string complaints() const ABSL_LOCKS_EXCLUDED(mu_);

  // False when it does not come.
  bool WaitForOutput(const ProcessKey& process, StdStream stream, size_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<v1::ExitStatus> WaitForExit(const ProcessKey& process) ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<absl::Status> WaitForLoss() ABSL_LOCKS_EXCLUDED(mu_);
  // The count of kills once it has come, 0 when it does not.
  uint64_t WaitForOutOfMemory(const std::string& container_id) ABSL_LOCKS_EXCLUDED(mu_);

  void OnOutput(const ProcessKey& process, StdStream stream, uint64_t offset, std::string data) override;
  void OnProcessExit(const ProcessKey& process, const v1::ExitStatus& status) override;
  void OnOutOfMemory(const std::string& container_id, uint64_t kills) override;
  void OnMemoryPressure(double) override {}
  void OnGuestLost(const absl::Status& why) override;

 private:
  struct Stream {
    uint64_t begin = 0;
    std::string data;
    uint64_t end() const { return begin + data.size(); }
  };

  mutable Mutex mu_;
  CondVar changed_;
  GuestSession* session_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::map<std::pair<ProcessKey, StdStream>, Stream> streams_ ABSL_GUARDED_BY(mu_);
  std::map<ProcessKey, v1::ExitStatus> exits_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, uint64_t> oom_kills_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> lost_ ABSL_GUARDED_BY(mu_);
  std::string complaints_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_TESTING_RECORDING_OBSERVER_H_
