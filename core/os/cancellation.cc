// SPDX-License-Identifier: Apache-2.0
#include "core/os/cancellation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vcd {

void Cancellation::Cancel(absl::Status why) {
  MutexLock callbacks_lock(&callbacks_mu_);
  {
    MutexLock lock(&mu_);
    if (!status_.ok()) return;
    status_ = std::move(why);
  }
  for (const auto& [id, callback] : callbacks_) callback();
}

absl::Status Cancellation::status() const {
  MutexLock lock(&mu_);
  return status_;
}

Cancellation::Subscription Cancellation::Subscribe(std::function<void()> callback) {
  MutexLock lock(&callbacks_mu_);
  if (!status().ok()) callback();
  const uint64_t id = next_id_++;
  callbacks_.emplace(id, std::move(callback));
  return Subscription(this, id);
}

Cancellation::Subscription::~Subscription() {
  if (owner_ == nullptr) return;
  MutexLock lock(&owner_->callbacks_mu_);
  owner_->callbacks_.erase(id_);
}

absl::Status CallContext::Check(absl::string_view what) const {
  if (cancellation != nullptr) {
    absl::Status status = cancellation->status();
    if (!status.ok()) return status;
  }
  if (absl::Now() >= deadline) return absl::DeadlineExceededError(absl::StrCat(what, ": deadline passed"));
  return absl::OkStatus();
}

CallContext CallContext::Within(absl::Duration limit) const {
  return CallContext{std::min(deadline, absl::Now() + limit), cancellation};
}

}  // namespace vcd
