// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_GUEST_LINK_H_
#define VCD_CORE_POD_GUEST_LINK_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/agent/agent.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"

namespace vcd {

// The session with a pod's guest, for those who may come when it is gone: output to acknowledge, input to write,
// signals to send. Calls that block go to `session()` instead, by an operation that holds the pod's lock: only an
// exclusive one replaces the session. Shared by the pod and its processes. Thread-safe.
class GuestLink {
 public:
  // Puts a session in place and returns the one before, to be destroyed outside of any lock. Its calls from here that
  // are still under way are cut short. By one thread at a time.
  std::unique_ptr<GuestSession> Exchange(std::unique_ptr<GuestSession> session) ABSL_LOCKS_EXCLUDED(mu_);

  // Exchange with none, for a guest that stands still and is spoken to again: what comes for it, input and calls, waits
  // for the next Exchange.
  std::unique_ptr<GuestSession> Suspend() ABSL_LOCKS_EXCLUDED(mu_);

  // Null when there is none.
  GuestSession* session() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return session_.get();
  }

  // The signs of life so far, and asks for another. Nothing when there is no session.
  std::optional<uint64_t> AskForLife() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (session_ == nullptr) return std::nullopt;
    const uint64_t signs = session_->signs_of_life();
    session_->Ping();
    return signs;
  }

  void AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (session_ != nullptr) session_->AcknowledgeOutput(process, stream, offset);
  }

  // kUnavailable, on this thread or that of an Exchange, when there is no session.
  void WriteInput(const ProcessKey& process, std::string data, bool close, std::function<void(absl::Status)> done)
      ABSL_LOCKS_EXCLUDED(mu_);

  // GuestSession::Signal, ResizeTerminal and RemoveProcess. kUnavailable when there is no session, or it ends
  // meanwhile. Block.
  absl::Status Signal(const ProcessKey& process, int signal, bool all, absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status ResizeTerminal(const ProcessKey& process, const v1::TerminalSize& size, absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status RemoveProcess(const ProcessKey& process, absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Input {
    ProcessKey process;
    std::string data;
    bool close = false;
    std::function<void(absl::Status)> done;
  };

  std::unique_ptr<GuestSession> Replace(std::unique_ptr<GuestSession> session, bool suspended) ABSL_LOCKS_EXCLUDED(mu_);
  // Makes a call of the session that it outlives.
  absl::Status Call(absl::Time deadline,
                    const std::function<absl::Status(GuestSession& session, const CallContext& context)>& call)
      ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  std::unique_ptr<GuestSession> session_ ABSL_GUARDED_BY(mu_);
  bool suspended_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Input> held_ ABSL_GUARDED_BY(mu_);  // While it is; one of each writer at most.
  // Calls on their way through the session, and what cuts them short; a new one for each session.
  int calling_ ABSL_GUARDED_BY(mu_) = 0;
  CondVar called_;  // Also: there is another session.
  std::shared_ptr<Cancellation> leaving_ ABSL_GUARDED_BY(mu_) = std::make_shared<Cancellation>();
};

}  // namespace vcd

#endif  // VCD_CORE_POD_GUEST_LINK_H_
