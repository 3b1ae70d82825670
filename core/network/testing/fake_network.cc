// SPDX-License-Identifier: Apache-2.0
#include "core/network/testing/fake_network.h"

#include <utility>

namespace vcd {

absl::Status FakeNetwork::TakeFailure(std::deque<absl::Status>& failures) {
  if (failures.empty()) return absl::OkStatus();
  absl::Status status = std::move(failures.front());
  failures.pop_front();
  return status;
}

absl::Status FakeNetwork::Check(const v1::NetworkConfig&) const {
  MutexLock lock(&mu_);
  return TakeFailure(check_failures_);
}

absl::StatusOr<std::string> FakeNetwork::Open(const NetworkPod& pod, const CallContext& context) {
  MutexLock lock(&mu_);
  calls_.push_back("Open " + pod.pod_id);
  absl::Status status = TakeFailure(open_failures_);
  if (status.ok()) status = context.Check("set the network up");
  if (!status.ok()) return status;
  attached_.insert(pod.pod_id);
  return pod.config.netns_path();
}

absl::StatusOr<NetworkPlan> FakeNetwork::Attach(const NetworkPod& pod, const CallContext& context) {
  MutexLock lock(&mu_);
  calls_.push_back("Attach " + pod.pod_id);
  absl::Status status = TakeFailure(attach_failures_);
  if (status.ok()) status = context.Check("set the network up");
  if (!status.ok()) return status;
  NetworkPlan plan;
  plan.netns_path = pod.config.netns_path();
  return plan;
}

absl::Status FakeNetwork::Detach(const NetworkPod& pod, const CallContext&) {
  MutexLock lock(&mu_);
  calls_.push_back("Detach " + pod.pod_id);
  absl::Status status = TakeFailure(detach_failures_);
  if (status.ok()) attached_.erase(pod.pod_id);
  return status;
}

void FakeNetwork::FailCheck(absl::Status status) {
  MutexLock lock(&mu_);
  check_failures_.push_back(std::move(status));
}

void FakeNetwork::FailOpen(absl::Status status) {
  MutexLock lock(&mu_);
  open_failures_.push_back(std::move(status));
}

void FakeNetwork::FailAttach(absl::Status status) {
  MutexLock lock(&mu_);
  attach_failures_.push_back(std::move(status));
}

void FakeNetwork::FailDetach(absl::Status status) {
  MutexLock lock(&mu_);
  detach_failures_.push_back(std::move(status));
}

std::vector<std::string> FakeNetwork::attached() const {
  MutexLock lock(&mu_);
  return {attached_.begin(), attached_.end()};
}

std::vector<std::string> FakeNetwork::calls() const {
  MutexLock lock(&mu_);
  return calls_;
}

}  // namespace vcd
