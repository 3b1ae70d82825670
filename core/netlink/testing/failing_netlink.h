// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETLINK_TESTING_FAILING_NETLINK_H_
#define VCD_CORE_NETLINK_TESTING_FAILING_NETLINK_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/netlink/netlink.h"

namespace vcd {

// Another's calls, but for the n-th, which fails and does nothing. `left` is n, counts down with each call, and must
// outlive this; at 0 or less none fails.
class FailingNetlink : public Netlink {
 public:
  FailingNetlink(std::unique_ptr<Netlink> inner, int* left) : inner_(std::move(inner)), left_(left) {}

  absl::StatusOr<std::vector<NetworkLink>> Links() override { return Fails() ? Error() : inner_->Links(); }
  absl::StatusOr<std::vector<LinkAddress>> Addresses() override { return Fails() ? Error() : inner_->Addresses(); }
  absl::StatusOr<std::vector<LinkRoute>> Routes() override { return Fails() ? Error() : inner_->Routes(); }
  absl::StatusOr<std::vector<LinkNeighbor>> Neighbors() override { return Fails() ? Error() : inner_->Neighbors(); }
  absl::StatusOr<std::vector<int>> LinksWithIngress() override {
    return Fails() ? Error() : inner_->LinksWithIngress();
  }
  absl::StatusOr<LinkDriver> Driver(const std::string& name) override {
    return Fails() ? Error() : inner_->Driver(name);
  }
  absl::StatusOr<std::vector<UniqueFd>> OpenTap(const std::string& name, uint32_t queues, bool existing) override {
    return Fails() ? Error() : inner_->OpenTap(name, queues, existing);
  }
  absl::Status AddMacvtap(const std::string& name, int lower, const std::string& mac) override {
    return Fails() ? Error() : inner_->AddMacvtap(name, lower, mac);
  }
  absl::StatusOr<std::vector<UniqueFd>> OpenMacvtap(const NetworkLink& link, uint32_t queues) override {
    return Fails() ? Error() : inner_->OpenMacvtap(link, queues);
  }
  absl::Status AddBridge(const std::string& name) override { return Fails() ? Error() : inner_->AddBridge(name); }
  absl::Status DeleteLink(int index) override { return Fails() ? Error() : inner_->DeleteLink(index); }
  absl::Status ChangeLink(int index, const LinkChange& change) override {
    return Fails() ? Error() : inner_->ChangeLink(index, change);
  }
  absl::Status BringIn(int index, const std::string& name) override {
    return Fails() ? Error() : inner_->BringIn(index, name);
  }
  absl::Status AddAddress(const LinkAddress& address) override {
    return Fails() ? Error() : inner_->AddAddress(address);
  }
  absl::Status DeleteAddress(const LinkAddress& address) override {
    return Fails() ? Error() : inner_->DeleteAddress(address);
  }
  absl::Status AddRoute(const LinkRoute& route) override { return Fails() ? Error() : inner_->AddRoute(route); }
  absl::Status AddIngress(int index) override { return Fails() ? Error() : inner_->AddIngress(index); }
  absl::Status DeleteIngress(int index) override { return Fails() ? Error() : inner_->DeleteIngress(index); }
  absl::Status RedirectIngress(int from, int to) override {
    return Fails() ? Error() : inner_->RedirectIngress(from, to);
  }

 private:
  bool Fails() { return --*left_ == 0; }
  static absl::Status Error() { return absl::ResourceExhaustedError("injected"); }

  const std::unique_ptr<Netlink> inner_;
  int* const left_;
};

}  // namespace vcd

#endif  // VCD_CORE_NETLINK_TESTING_FAILING_NETLINK_H_
