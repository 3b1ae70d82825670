// SPDX-License-Identifier: Apache-2.0
#include "core/netns/namespace_turn.h"

#include <cstdint>
#include <set>

#include "core/os/mutex.h"

namespace vcd {
namespace {

using Key = std::pair<uint64_t, uint64_t>;

struct Turns {
  Mutex mu;
  CondVar given_back;
  std::set<Key> taken ABSL_GUARDED_BY(mu);
};

Turns& AllTurns() {
  static Turns* const turns = new Turns;
  return *turns;
}

Key KeyOf(const NetworkNamespace::Identity& identity) { return {identity.device, identity.inode}; }

}  // namespace

NamespaceTurn NamespaceTurn::Take(const NetworkNamespace& netns) {
  Turns& turns = AllTurns();
  MutexLock lock(&turns.mu);
  while (!turns.taken.insert(KeyOf(netns.identity())).second) turns.given_back.Wait(&turns.mu);
  return NamespaceTurn(netns.identity());
}

std::optional<NamespaceTurn> NamespaceTurn::TryTake(const NetworkNamespace& netns) {
  Turns& turns = AllTurns();
  MutexLock lock(&turns.mu);
  if (!turns.taken.insert(KeyOf(netns.identity())).second) return std::nullopt;
  return NamespaceTurn(netns.identity());
}

NamespaceTurn::~NamespaceTurn() {
  if (!of_.has_value()) return;
  Turns& turns = AllTurns();
  MutexLock lock(&turns.mu);
  turns.taken.erase(KeyOf(*of_));
  turns.given_back.NotifyAll();
}

}  // namespace vcd
