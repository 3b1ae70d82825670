// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_MOCK_MOCK_GUEST_H_
#define VCD_BACKENDS_AGENT_MOCK_MOCK_GUEST_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "backends/mock/mock_control.h"
#include "core/agent/simulation/simulated_guest.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"
#include "core/os/posix_filesystem.h"
#include "core/os/timer.h"

namespace vcd {

// The guest of one mock machine: a simulated guest, its clock, and the file that it is when no daemon runs. The object
// is only a view of that file: another made later goes on where this one was, and its processes with it. The file is
// written, and not synced, on whichever thread brings a change, the I/O thread among them. Thread-safe. Held by its
// session; `io` outlives it.
class MockGuest : public MockControl::Guest, public std::enable_shared_from_this<MockGuest> {
 public:
  // As the file in `run_dir` tells, when that is of this machine; otherwise it has just booted. Blocks on the disk.
  static std::shared_ptr<MockGuest> Open(IoThread& io, std::shared_ptr<MockControl> control, const std::string& pod_id,
                                         const std::string& run_dir, const std::string& machine);

  SimulatedGuest& simulated() { return *simulated_; }
  const std::string& machine() const { return machine_; }

  // OK while it lives; kUnavailable (AGENT_UNAVAILABLE) once its machine has ended or it was powered off.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mu_);
  void PowerOff() ABSL_LOCKS_EXCLUDED(mu_);

  // Called, on any thread, when what goes wrong has changed and inputs that it held up may go on. Null takes it back;
  // one that runs may still run.
  void OnChange(std::function<void()> callback) ABSL_LOCKS_EXCLUDED(mu_);

  // MockControl::Guest.
  void BehaviorChanged() override ABSL_LOCKS_EXCLUDED(mu_, muting_mu_);
  void SetPaused(bool paused) override { simulated_->SetPaused(paused); }
  void MachineEnded() override ABSL_LOCKS_EXCLUDED(mu_);
  bool EndProcess(const ProcessKey& process, const v1::ExitStatus& status) override;

 private:
  MockGuest(IoThread& io, std::shared_ptr<MockControl> control, std::string pod_id, std::string run_dir,
            std::string machine);
  SimulatedGuest::Options Options();
  absl::Status Save(const state::v1::SimulatedGuest& saved) ABSL_LOCKS_EXCLUDED(mu_);
  void WakeAt(absl::Time when) ABSL_LOCKS_EXCLUDED(timer_mu_);
  void End(const std::string& why) ABSL_LOCKS_EXCLUDED(mu_);

  IoThread& io_;
  const std::shared_ptr<MockControl> control_;
  const std::string pod_id_;
  const std::string run_dir_;
  const std::string machine_;
  std::unique_ptr<SimulatedGuest> simulated_;  // Constant after Open.

  // The order of whether it is silent and of being told so; before the locks of MockControl and SimulatedGuest.
  Mutex muting_mu_;
  mutable Mutex mu_;
  absl::Status ended_ ABSL_GUARDED_BY(mu_);
  std::function<void()> on_change_ ABSL_GUARDED_BY(mu_);
  Mutex timer_mu_;
  Timer timer_ ABSL_GUARDED_BY(timer_mu_);
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_MOCK_MOCK_GUEST_H_
