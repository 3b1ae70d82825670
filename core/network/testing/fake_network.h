// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETWORK_TESTING_FAKE_NETWORK_H_
#define VCD_CORE_NETWORK_TESTING_FAKE_NETWORK_H_

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/network/network.h"
#include "core/os/mutex.h"

namespace vcd {

// A network that remembers who is attached, and to which interfaces, and fails when told to. Accepts any configuration.
// Thread-safe.
class FakeNetwork : public Network {
 public:
  absl::Status Check(const v1::NetworkConfig& config) const override;
  bool has_default() const override { return has_default_; }
  absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) override;
  absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) override;
  absl::Status Detach(const NetworkPod& pod, const CallContext& context) override;
  absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                const CallContext& context) override;
  absl::Status RemoveInterface(const NetworkPod& pod, const std::string& name, const CallContext& context) override;
  absl::Status Verify(const NetworkPod& pod, const CallContext& context) override;

  // What Attach has for every pod from now on; by itself it has nothing.
  void SetPlan(std::vector<v1::PodInterface> interfaces, const v1::DnsConfig& dns = {});

  // Before there are pods; it has one otherwise.
  void SetHasDefault(bool has_default) { has_default_ = has_default; }

  // The next calls return these, in order, and change nothing.
  void FailCheck(absl::Status status);
  void FailOpen(absl::Status status);
  void FailAttach(absl::Status status);
  void FailDetach(absl::Status status);
  void FailAdd(absl::Status status);
  void FailRemove(absl::Status status);
  void FailVerify(absl::Status status);

  // Pods that Open was done for, sorted.
  std::vector<std::string> attached() const;
  // Names of the interfaces that a pod has, sorted.
  std::vector<std::string> interfaces(const std::string& pod_id) const;
  // "Open web", "Attach web", "AddInterface web eth1", "Detach web", in order; failed ones too.
  std::vector<std::string> calls() const;

 private:
  bool has_default_ = true;
  // The scripted failure of a call, if there is one.
  static absl::Status TakeFailure(std::deque<absl::Status>& failures);

  mutable Mutex mu_;
  mutable std::deque<absl::Status> check_failures_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::Status> open_failures_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::Status> attach_failures_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::Status> detach_failures_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::Status> add_failures_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::Status> remove_failures_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::Status> verify_failures_ ABSL_GUARDED_BY(mu_);
  std::vector<v1::PodInterface> plan_ ABSL_GUARDED_BY(mu_);
  v1::DnsConfig dns_ ABSL_GUARDED_BY(mu_);
  // By pod, the names of its interfaces.
  std::map<std::string, std::set<std::string>> attached_ ABSL_GUARDED_BY(mu_);
  int next_mac_ ABSL_GUARDED_BY(mu_) = 16;
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_NETWORK_TESTING_FAKE_NETWORK_H_
