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
  std::shared_ptr<Cancellation> leaving;
  {
    MutexLock lock(&mu_);
    leaving = std::exchange(leaving_, std::make_shared<Cancellation>());
    session_.swap(session);
  }
  leaving->Cancel(GuestGone());
  MutexLock lock(&mu_);
  while (signalling_ > 0) signalled_.Wait(&mu_);
  return session;
}

absl::Status GuestLink::Signal(const ProcessKey& process, int signal, bool all, absl::Time deadline) {
  GuestSession* session = nullptr;
  std::shared_ptr<Cancellation> leaving;
  {
    MutexLock lock(&mu_);
    if (session_ == nullptr) return GuestGone();
    session = session_.get();
    leaving = leaving_;
    ++signalling_;
  }
  const absl::Status status = session->Signal(process, signal, all, {deadline, leaving.get()});
  MutexLock lock(&mu_);
  if (--signalling_ == 0) signalled_.NotifyAll();
  return status;
}

}  // namespace vcd
