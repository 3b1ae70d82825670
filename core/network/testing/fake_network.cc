// SPDX-License-Identifier: Apache-2.0
#include "core/network/testing/fake_network.h"

#include <fcntl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vcd {
namespace {

// With a descriptor that leads nowhere.
PlannedInterface Planned(const v1::PodInterface& interface) {
  PlannedInterface planned;
  planned.interface = interface;
  if (!interface.pci_address().empty()) return planned;
  planned.nic.mac = interface.mac();
  planned.nic.taps.emplace_back(open("/dev/null", O_RDWR | O_CLOEXEC));
  return planned;
}

}  // namespace

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
  attached_[pod.pod_id];
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
  plan.dns = dns_;
  for (const v1::PodInterface& interface : plan_) {
    plan.interfaces.push_back(Planned(interface));
    attached_[pod.pod_id].insert(interface.name());
  }
  return plan;
}

absl::StatusOr<PlannedInterface> FakeNetwork::AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                           const CallContext& context) {
  MutexLock lock(&mu_);
  calls_.push_back(absl::StrCat("AddInterface ", pod.pod_id, " ", network.interface_name()));
  absl::Status status = TakeFailure(add_failures_);
  if (status.ok()) status = context.Check("add an interface");
  if (!status.ok()) return status;
  if (!attached_[pod.pod_id].insert(network.interface_name()).second) {
    return absl::AlreadyExistsError(absl::StrCat(network.interface_name(), " is there already"));
  }
  v1::PodInterface interface;
  interface.set_name(network.interface_name());
  interface.set_mac(absl::StrFormat("02:00:5e:00:54:%02x", next_mac_++ & 0xff));
  interface.set_network(network.name());
  interface.add_addresses("10.0.9.2/24");
  return Planned(interface);
}

absl::Status FakeNetwork::RemoveInterface(const NetworkPod& pod, const std::string& name, const CallContext& context) {
  MutexLock lock(&mu_);
  calls_.push_back(absl::StrCat("RemoveInterface ", pod.pod_id, " ", name));
  absl::Status status = TakeFailure(remove_failures_);
  if (status.ok()) status = context.Check("remove an interface");
  if (status.ok()) attached_[pod.pod_id].erase(name);
  return status;
}

absl::Status FakeNetwork::Verify(const NetworkPod& pod, const CallContext&) {
  MutexLock lock(&mu_);
  calls_.push_back("Verify " + pod.pod_id);
  return TakeFailure(verify_failures_);
}

void FakeNetwork::SetPlan(std::vector<v1::PodInterface> interfaces, const v1::DnsConfig& dns) {
  MutexLock lock(&mu_);
  plan_ = std::move(interfaces);
  dns_ = dns;
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

void FakeNetwork::FailAdd(absl::Status status) {
  MutexLock lock(&mu_);
  add_failures_.push_back(std::move(status));
}

void FakeNetwork::FailRemove(absl::Status status) {
  MutexLock lock(&mu_);
  remove_failures_.push_back(std::move(status));
}

void FakeNetwork::FailVerify(absl::Status status) {
  MutexLock lock(&mu_);
  verify_failures_.push_back(std::move(status));
}

std::vector<std::string> FakeNetwork::attached() const {
  MutexLock lock(&mu_);
  std::vector<std::string> pods;
  for (const auto& [pod_id, interfaces] : attached_) pods.push_back(pod_id);
  return pods;
}

std::vector<std::string> FakeNetwork::interfaces(const std::string& pod_id) const {
  MutexLock lock(&mu_);
  const auto found = attached_.find(pod_id);
  if (found == attached_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<std::string> FakeNetwork::calls() const {
  MutexLock lock(&mu_);
  return calls_;
}

}  // namespace vcd
