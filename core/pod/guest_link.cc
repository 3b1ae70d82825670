// SPDX-License-Identifier: Apache-2.0
#include "core/pod/guest_link.h"

#include "core/status/error_detail.h"

namespace vcd {
namespace {

absl::Status GuestGone() {
  return WithDetail(absl::UnavailableError("the guest does not answer"), {v1::ERROR_REASON_AGENT_UNAVAILABLE, {}});
}

}  // namespace

std::unique_ptr<GuestSession> GuestLink::Exchange(std::unique_ptr<GuestSession> session) {
  return Replace(std::move(session), /*suspended=*/false);
}

std::unique_ptr<GuestSession> GuestLink::Suspend() { return Replace(nullptr, /*suspended=*/true); }

std::unique_ptr<GuestSession> GuestLink::Replace(std::unique_ptr<GuestSession> session, bool suspended) {
  std::shared_ptr<Cancellation> leaving;
  std::vector<Input> lost;
  {
    MutexLock lock(&mu_);
    leaving = std::exchange(leaving_, std::make_shared<Cancellation>());
    session_.swap(session);
    suspended_ = suspended;
    if (!suspended) {
      // Under the lock: before what comes now.
      for (Input& input : held_) {
        if (session_ == nullptr) {
          lost.push_back(std::move(input));
        } else {
          session_->WriteInput(input.process, std::move(input.data), input.close, std::move(input.done));
        }
      }
      held_.clear();
    }
    called_.NotifyAll();
  }
  for (const Input& input : lost) input.done(GuestGone());
  leaving->Cancel(GuestGone());
  MutexLock lock(&mu_);
  while (calling_ > 0) called_.Wait(&mu_);
  return session;
}

void GuestLink::WriteInput(const ProcessKey& process, std::string data, bool close,
                           std::function<void(absl::Status)> done) {
  {
    MutexLock lock(&mu_);
    if (session_ != nullptr) return session_->WriteInput(process, std::move(data), close, std::move(done));
    if (suspended_) return held_.push_back({process, std::move(data), close, std::move(done)});
  }
  done(GuestGone());
}

absl::Status GuestLink::Signal(const ProcessKey& process, int signal, bool all, absl::Time deadline) {
  return Call(deadline, [&](GuestSession& session, const CallContext& context) {
    return session.Signal(process, signal, all, context);
  });
}

absl::Status GuestLink::ResizeTerminal(const ProcessKey& process, const v1::TerminalSize& size, absl::Time deadline) {
  return Call(deadline, [&](GuestSession& session, const CallContext& context) {
    return session.ResizeTerminal(process, size, context);
  });
}

absl::Status GuestLink::RemoveProcess(const ProcessKey& process, absl::Time deadline) {
  return Call(deadline, [&](GuestSession& session, const CallContext& context) {
    return session.RemoveProcess(process, context);
  });
}

absl::Status GuestLink::Call(absl::Time deadline,
                             const std::function<absl::Status(GuestSession&, const CallContext&)>& call) {
  GuestSession* session = nullptr;
  std::shared_ptr<Cancellation> leaving;
  {
    MutexLock lock(&mu_);
    while (suspended_) {
      if (called_.WaitWithDeadline(&mu_, deadline)) {
        return absl::DeadlineExceededError("a checkpoint of the pod is being made, for which its guest stands still");
      }
    }
    if (session_ == nullptr) return GuestGone();
    session = session_.get();
    leaving = leaving_;
    ++calling_;
  }
  const absl::Status status = call(*session, {deadline, leaving.get()});
  MutexLock lock(&mu_);
  if (--calling_ == 0) called_.NotifyAll();
  return status;
}

}  // namespace vcd
