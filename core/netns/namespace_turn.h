// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETNS_NAMESPACE_TURN_H_
#define VCD_CORE_NETNS_NAMESPACE_TURN_H_

#include <optional>
#include <utility>

#include "core/netns/network_namespace.h"

namespace vcd {

// Somebody's turn to look at the interfaces of a namespace and to change them. Pods may have one namespace, and two who
// did so at a time would take what the other is about to take, or undo what the other has just done. Held by one at a
// time in this process, whichever names its namespace goes by; move-only, and over with the object. Thread-safe.
class NamespaceTurn {
 public:
  // Waits for whoever has it, for as long as that takes: not by a thread that has it already.
  static NamespaceTurn Take(const NetworkNamespace& netns);

  // None when somebody has it.
  static std::optional<NamespaceTurn> TryTake(const NetworkNamespace& netns);

  NamespaceTurn(NamespaceTurn&& other) noexcept : of_(std::exchange(other.of_, std::nullopt)) {}
  NamespaceTurn& operator=(NamespaceTurn&& other) noexcept {
    std::swap(of_, other.of_);
    return *this;
  }
  ~NamespaceTurn();

 private:
  explicit NamespaceTurn(const NetworkNamespace::Identity& of) : of_(of) {}

  std::optional<NetworkNamespace::Identity> of_;
};

}  // namespace vcd

#endif  // VCD_CORE_NETNS_NAMESPACE_TURN_H_
