// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_MOCK_MOCK_CONTROL_H_
#define VCD_BACKENDS_MOCK_MOCK_CONTROL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "backends/mock/mock_behavior.h"
#include "core/agent/agent.h"
#include "core/os/cancellation.h"
#include "core/os/completion.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"
#include "core/os/timer.h"
#include "proto/vcd/v1/mock.pb.h"

namespace vcd {

// What goes wrong with mock pods, and when: the one place that the mock backends ask before they do anything, whether a
// fault comes from the configuration, an annotation or the API. It also is how the API reaches machines and guests.
// Pods with nothing unusual cost it an entry in a map. Thread-safe. `io` outlives it.
class MockControl : public std::enable_shared_from_this<MockControl> {
 public:
  // A machine as it is seen from here. Called with no lock held.
  class Machine {
   public:
    virtual ~Machine() = default;
    // Ends it, as a crash would. Calls RemoveMachine.
    virtual void Crash(const std::string& reason) = 0;
  };

  // The guest of a machine. Called with no lock held.
  class Guest {
   public:
    virtual ~Guest() = default;
    // Silent may have another answer.
    virtual void BehaviorChanged() = 0;
    virtual void SetPaused(bool paused) = 0;
    virtual void MachineEnded() = 0;
    // False when no such process runs.
    virtual bool EndProcess(const ProcessKey& process, const v1::ExitStatus& status) = 0;
  };

  // kInvalidArgument (INVALID_FIELD) naming the field of the daemon's configuration.
  static absl::StatusOr<std::shared_ptr<MockControl>> Create(IoThread& io, const v1::MockBehavior& configured);
  // Nothing goes wrong until it is set.
  explicit MockControl(IoThread& io) : io_(io) {}

  // ---- For the API (mock_service.proto) ----
  struct Report {
    v1::MockBehavior set;
    v1::MockBehavior annotated;
    v1::MockBehavior configured;
    v1::MockBehavior effective;
    std::vector<std::string> waiting;
  };
  absl::Status Set(const std::string& pod_id, const v1::MockBehavior& behavior) ABSL_LOCKS_EXCLUDED(mu_);
  Report Get(const std::string& pod_id) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Crash(const std::string& pod_id, const std::string& reason) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status EndProcess(const std::string& pod_id, const ProcessKey& process, const v1::ExitStatus& status)
      ABSL_LOCKS_EXCLUDED(mu_);

  // ---- For the backends ----
  // What the pod's annotations say, before its machine boots or is adopted.
  void Annotate(const std::string& pod_id, MockBehavior annotated) ABSL_LOCKS_EXCLUDED(mu_);
  // Forgets that, when nothing came of it.
  void ForgetUnlessRunning(const std::string& pod_id) ABSL_LOCKS_EXCLUDED(mu_);
  void AddMachine(const std::string& pod_id, std::weak_ptr<Machine> machine, absl::Time booted)
      ABSL_LOCKS_EXCLUDED(mu_);
  // When it has ended; nothing for a machine that another has followed.
  void RemoveMachine(const std::string& pod_id, const Machine* machine) ABSL_LOCKS_EXCLUDED(mu_);
  void AddGuest(const std::string& pod_id, std::weak_ptr<Guest> guest) ABSL_LOCKS_EXCLUDED(mu_);
  // Tells the guest that its machine stands still, or goes on.
  void SetPaused(const std::string& pod_id, bool paused) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether the guest is to say nothing now.
  bool Silent(const std::string& pod_id) const ABSL_LOCKS_EXCLUDED(mu_);

  // What every operation that may block begins with: waits, fails or kills the machine as told. Returns what the
  // operation has to fail with: also the end of its context, and what `alive` says (which is asked first, and again
  // after each change).
  absl::Status Enter(const std::string& pod_id, MockOperation operation, const CallContext& context,
                     const std::function<absl::Status()>& alive = nullptr) ABSL_LOCKS_EXCLUDED(mu_);
  // The same for MockOperation::kStop, which the end of a context does not keep from being done. A machine that does
  // not react is killed after a while, and at once by force.
  absl::Status EnterStop(const std::string& pod_id, bool force, const CallContext& context) ABSL_LOCKS_EXCLUDED(mu_);
  // The fault of an operation that must not block. Silence is a hang.
  MockFault TakeFault(const std::string& pod_id, MockOperation operation) ABSL_LOCKS_EXCLUDED(mu_);
  // What an operation with such a fault fails with; ends the machine when that is the fault.
  absl::Status Failure(const std::string& pod_id, MockOperation operation, const MockFault& fault)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiting {
    MockOperation operation;
    Completion<bool> changed;
  };
  // How often a fault was met, as long as its text stays the same.
  struct Met {
    std::string fault;
    uint32_t times = 0;
  };
  struct Entry {
    std::unique_ptr<MockBehavior> set;        // Null: nothing.
    std::unique_ptr<MockBehavior> annotated;  // Null: nothing.
    std::weak_ptr<Machine> machine;
    std::weak_ptr<Guest> guest;
    absl::Time booted = absl::InfinitePast();  // While there is a machine.
    Timer timer;
    std::map<MockOperation, Met> met;
    std::map<uint64_t, Waiting> waiting;
  };
  using Entries = std::map<std::string, Entry>;
  // What an operation has to do first.
  struct Verdict {
    MockFault fault;
    bool silent = false;
    uint64_t waiting_id = 0;  // Not zero: it waits, and is to be told of changes.
    Completion<bool> changed;
  };
  // What came of that.
  struct Outcome {
    absl::Status waited;  // The context's end.
    MockFault fault;
  };

  Verdict Decide(const std::string& pod_id, MockOperation operation, bool may_wait) ABSL_LOCKS_EXCLUDED(mu_);
  MockFault Count(Entry& entry, MockOperation operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Outcome> Suffer(const std::string& pod_id, MockOperation operation, const CallContext& context,
                                 const std::function<absl::Status()>& alive) ABSL_LOCKS_EXCLUDED(mu_);
  void StopWaiting(const std::string& pod_id, uint64_t waiting_id) ABSL_LOCKS_EXCLUDED(mu_);
  // The first of the three that says something of a field; null when none does.
  const MockBehavior* Effective(const Entry* entry, int field) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::MockBehavior EffectiveMessage(const Entry* entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // When the machine is to die, or to fall silent; InfiniteFuture for never.
  absl::Time DieTime(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Time SilentTime(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Arm(const std::string& pod_id, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnTimer(const std::string& pod_id) ABSL_LOCKS_EXCLUDED(mu_);
  // Those who wait look again.
  void Release(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EraseIfPlain(const std::string& pod_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const Entry* Find(const std::string& pod_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  IoThread& io_;
  MockBehavior configured_;  // Constant after Create.
  mutable Mutex mu_;
  Entries entries_ ABSL_GUARDED_BY(mu_);
  uint64_t next_waiting_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_MOCK_MOCK_CONTROL_H_
